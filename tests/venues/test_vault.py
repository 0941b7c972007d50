"""Secrets at rest: bound to their row, never seen, exchanged without anybody waiting."""

import copy
import json
import pickle
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.config import Config
from streams.venues.secret import Secret
from streams.venues.vault import Place, Sealed, Vault, add_key, drop_keys, key_id, vault_file, with_key

PLACE = Place("live:1", "bn", "binance_usdm", "api_secret")
TEXT = "s3cret-text-of-a-user"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    add_key(tmp_path / "vault.json")
    return tmp_path / "vault.json"


def test_a_secret_opens_where_it_was_sealed(file: Path) -> None:
    vault = Vault(file)
    assert vault.open(vault.seal(Secret(TEXT), PLACE), PLACE) == Secret(TEXT)


def test_the_first_key_is_made_once(tmp_path: Path) -> None:
    config = Config(data_dir=str(tmp_path))
    first = Vault(with_key(vault_file(config))).current
    assert Vault(with_key(vault_file(config))).current == first
    assert vault_file(Config(vault_file="/elsewhere/keys.json")) == Path("/elsewhere/keys.json")


def test_of_two_processes_that_make_the_first_key_at_once_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the quicker one has sealed meanwhile must open for ever."""
    file, theirs, chance = tmp_path / "vault.json", list[str](), secrets.token_hex

    def quicker(length: int) -> str:
        monkeypatch.undo()
        theirs.append(add_key(file))
        return chance(length)

    monkeypatch.setattr(secrets, "token_hex", quicker)
    assert [Vault(with_key(file)).current] == theirs
    assert [one.name for one in tmp_path.iterdir()] == ["vault.json"]


def test_the_file_is_its_owners(file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("other", [PLACE._replace(user="live:2"), PLACE._replace(account="by"), PLACE._replace(venue="okx_v5"),
                                   PLACE._replace(purpose="api_key")])
def test_it_opens_in_no_other_row_or_column(file: Path, other: Place) -> None:
    vault = Vault(file)
    with pytest.raises(Sealed, match=r"expected one sealed for"):
        vault.open(vault.seal(Secret(TEXT), PLACE), other)


def test_the_same_secret_is_sealed_otherwise_each_time(file: Path) -> None:
    vault = Vault(file)
    assert len({vault.seal(Secret(TEXT), PLACE) for _ in range(1_000)}) == 1_000


@pytest.mark.parametrize("change", [lambda sealed: sealed[:-1], lambda sealed: sealed[:-1] + bytes((sealed[-1] ^ 1,)), lambda _: b"",
                                    lambda _: b"\x01", lambda sealed: b"\x02" + sealed[1:], lambda sealed: sealed + b"x",
                                    lambda sealed: b"\x01\xff" + sealed[2:]])
def test_what_was_changed_does_not_open(file: Path, change: Callable[[bytes], bytes]) -> None:
    vault = Vault(file)
    with pytest.raises(Sealed) as refused:
        vault.open(change(vault.seal(Secret(TEXT), PLACE)), PLACE)
    assert TEXT not in str(refused.value)


def test_a_reader_opens_what_was_sealed_under_a_key_made_after_it_began(file: Path) -> None:
    reader = Vault(file)
    old = reader.seal(Secret(TEXT), PLACE)
    new_id = add_key(file)
    new = Vault(file).seal(Secret(TEXT), PLACE)
    assert key_id(new) == new_id != key_id(old)
    assert reader.open(new, PLACE) == reader.open(old, PLACE) == Secret(TEXT)
    assert key_id(reader.seal(Secret(TEXT), PLACE)) == new_id


def test_only_keys_that_nothing_is_under_are_dropped(file: Path) -> None:
    first = Vault(file).current
    second, third = add_key(file), add_key(file)
    assert drop_keys(file, {first}) == [second]
    assert set(json.loads(file.read_text())["keys"]) == {first, third}
    assert drop_keys(file, set()) == [first]


@pytest.mark.parametrize("text", ["", "{}", '{"current": "a", "keys": {}}', '{"current": "a", "keys": {"a": "kurz"}}', "[]", "null",
                                  '{"current": "b", "keys": {"a": "' + "A" * 43 + '="}}'])
def test_a_file_that_is_none_is_refused_without_its_text(tmp_path: Path, text: str) -> None:
    (tmp_path / "vault.json").write_text(text)
    with pytest.raises(Sealed, match=r"expected \{") as refused:
        Vault(tmp_path / "vault.json")
    assert "kurz" not in str(refused.value)


def test_without_a_file_the_refusal_says_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(Sealed, match="keys rotate"):
        Vault(tmp_path / "vault.json")


@pytest.mark.parametrize("show", [str, repr, lambda one: f"{one}", lambda one: f"{one:>30}", "%s %r".__mod__, lambda one: str([one]),
                                  lambda one: str({"a": one}), lambda one: repr((one,))])
def test_a_secret_shows_stars(show: Callable[[Secret], str]) -> None:
    said = show(Secret(TEXT) if show != "%s %r".__mod__ else (Secret(TEXT), Secret(TEXT)))  # type: ignore[arg-type]
    assert TEXT not in said
    assert "***" in said


@pytest.mark.parametrize("copied", [pickle.dumps, copy.deepcopy, json.dumps])
def test_a_secret_stays_in_its_process(copied: Callable[[Secret], object]) -> None:
    with pytest.raises(TypeError) as refused:
        copied(Secret(TEXT))
    assert TEXT not in str(refused.value)


def test_secrets_compare_by_their_text() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert not Secret("")
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_a_vault_shows_no_key(file: Path) -> None:
    keys = json.loads(file.read_text())["keys"].values()
    assert [key for key in keys if key in repr(Vault(file)) + str(vars(Vault(file)))] == []
