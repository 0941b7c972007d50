"""No secret comes out of a running stack: real processes, debug logs, errors on purpose, then everything they left is searched."""

import base64
import io
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from confluent_kafka import Producer

from streams.stack import process, supervisor
from streams.stack.venues import ask, health
from streams.venues.simulator.catalogue import VENUES
from streams.venues.vault import Place, Vault
from tests.stack.leaks import collect, forms, leaked
from tests.stack.test_stack import Stack

TOKEN, WEBHOOK, WRONG_TOKEN = "t0ken/of the+admin=api", "webhook&secret?of=it", "n0body's/token"
MINE = {"api_key": "my/api+key==of&mine", "api_secret": "my api/secret+of=mine%", "passphrase": "my päss/phrase"}
BROKEN = {"api_key": "br0ken/key+of=mine", "api_secret": 5}
WAIT_S = 180.0
SETTINGS = {"LOG_LEVEL": "DEBUG", "API_TOKEN": TOKEN, "WEBHOOK_SECRET": WEBHOOK, "GENERATOR_USERS": "5", "GENERATOR_EVENTS_PER_S": "10",
            "GENERATOR_TICKS_PER_S": "20", "SIMULATOR_USERS": "1", "SIMULATOR_EVENTS_PER_S": "5"}


@pytest.mark.parametrize("before", [b"", b"x", b"yz", b"abc"])
@pytest.mark.parametrize("encode", [bytes, bytes.hex, lambda text: text.hex().upper(), base64.b64encode, base64.urlsafe_b64encode],
                         ids=["raw", "hex", "HEX", "base64", "base64url"])
def test_a_secret_is_found_in_every_form(before: bytes, encode: Callable[[bytes], bytes | str]) -> None:
    said = encode(before + b"s3cret/of+mine?" + b"and more")
    assert leaked({"one": b"s3cret/of+mine?"}, {"log": said.encode() if isinstance(said, str) else said})
    assert not leaked({"one": b"s3cret/of+mine?"}, {"log": b"czNjcmV nothing here"})


def test_the_forms_of_a_url_and_of_json_are_known() -> None:
    assert {b"a%2Fb%20c%3D%22", b"a%2Fb+c%3D%22", b'a/b c=\\"'} <= set(forms(b'a/b c="').values())


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    found = Stack(tmp_path_factory.mktemp("secrets"))
    found.env |= {f"MARGINSTREAM_{name}": text for name, text in SETTINGS.items()}
    done = found.run("up")
    if "expected Java" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    yield found
    found.run("down", "--forget")


class Life:
    """What happens to the stack, what it answers, and the secrets that come up on the way."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.addresses = stack, supervisor.load_state(stack.config()).addresses
        self.control, self.page = self.addresses["MARGINSTREAM_SIMULATOR_URL"], self.addresses["MARGINSTREAM_INGEST_URL"]
        self.answers = io.StringIO()
        texts = {"token": TOKEN, "wrong token": WRONG_TOKEN, "webhook secret": WEBHOOK, **MINE, "broken key": str(BROKEN["api_key"])}
        self.secrets = {name: text.encode() for name, text in texts.items()}

    def say(self, *words: str, stdin: str = "") -> int:
        done = self.stack.run(*words, stdin=stdin)
        self.answers.write(done.stdout + done.stderr)
        return done.returncode

    def call(self, method: str, path: str, body: object = None, token: str = TOKEN) -> int:
        place = self.addresses["MARGINSTREAM_API_URL"].removeprefix("http://")
        request = urllib.request.Request(f"http://{place}/api/admin/users/{path}", None if body is None else json.dumps(body).encode(),
                                         {"Authorization": f"Bearer {token}"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                self.answers.write(answer.read().decode())
                return int(answer.status)
        except urllib.error.HTTPError as error:
            self.answers.write(error.read().decode())
            return error.code

    def until(self, done: Callable[[dict[str, Any]], bool], what: str) -> None:
        """Waits for the ingestion's page to be so."""
        end = time.monotonic() + WAIT_S
        said = health(self.page)
        while said is None or not done(said):
            assert time.monotonic() < end, f"{what}: {said}"
            time.sleep(0.3)
            said = health(self.page)

    def live(self, what: str) -> None:
        self.until(lambda said: said["status"] == "ok" and said["activeConnections"] == len(said["accounts"]) > 0, what)

    def engine_knows(self, user: str, account: str) -> bool:
        """Whether a state of the engine had it, and the mirror saw that."""
        with psycopg.connect(self.addresses["MARGINSTREAM_POSTGRES_DSN"]) as connection:
            query = "SELECT mirrored, model FROM exchange_accounts WHERE (user_key, account_id) = (%s, %s)"
            return connection.execute(query, [user, account]).fetchone() == (True, "binance_usdm")

    def learn(self) -> None:
        """Secrets as they are now: credentials at the venues, keys of the vault, tokens of streams."""
        file = self.stack.folder / "vault.json"
        self.secrets |= {f"vault {name}": base64.b64decode(text) for name, text in json.loads(file.read_text())["keys"].items()}
        for one in ask(self.control, "accounts"):
            self.secrets |= {f"{word} of {one['name']}": one[word].encode() for word in ("key", "secret", "passphrase")}
        with psycopg.connect(self.addresses["MARGINSTREAM_POSTGRES_DSN"]) as connection:
            for user, account, venue, sealed in connection.execute(
                    "SELECT user_key, account_id, venue, listen_key_encrypted FROM exchange_accounts "
                    "WHERE listen_key_encrypted IS NOT NULL"):
                token = Vault(file).open(sealed, Place(user, account, venue, "listen_key")).reveal().encode()
                self.secrets[f"listen key {len(self.secrets)} of {account}"] = token


def accounts_change(life: Life) -> None:
    """Added at the console with credentials that are wrong, put right through the API, refused in several ways, removed."""
    ask(life.control, "accounts", {"name": "mine", "venue": "binance_usdm"})
    assert life.say("accounts", "add", "77", "mine", "binance_usdm", stdin=json.dumps(MINE)) == 0
    assert process.wait_until(lambda: life.engine_knows("live:77", "mine"), WAIT_S, 0.3), "the engine hears of it"
    life.until(lambda said: any(one["account"] == "mine" and one["state"] == "auth_failed" for one in said["accounts"]), "refused")
    assert life.say("accounts", "add", "77", "mine", "binance_usdm", stdin=json.dumps(BROKEN)) == 1
    assert life.call("PUT", "live:77/exchange-accounts/mine", {"venue": "binance_usdm", **BROKEN}) == 400
    assert life.call("PUT", "live:77/exchange-accounts/mine", {"venue": "binance_usdm", **MINE}, WRONG_TOKEN) == 401
    [right] = [one for one in ask(life.control, "accounts") if one["name"] == "mine"]
    said = {"venue": "binance_usdm", "api_key": right["key"], "api_secret": right["secret"]}
    assert life.call("PUT", "live:77/exchange-accounts/mine", said) == 200
    life.live("the right credentials take effect while it runs")
    life.learn()
    assert life.call("GET", "live:77/exchange-accounts") == 200
    assert life.call("DELETE", "live:77/exchange-accounts/mine") == 200
    life.until(lambda page: all(one["account"] != "mine" for one in page["accounts"]), "removed while it runs")


def venues_fail(life: Life) -> None:
    """401, 5xx, texts that are no JSON, refused handshakes, cuts, a listen key that ends: of every venue."""
    for venue in VENUES:
        for status, body in ((401, ""), (500, ""), (200, "<html>no JSON</html>"), (503, "")):
            ask(life.control, "fault", {"kind": "http", "venue": venue, "status": status, "body": body})
        ask(life.control, "fault", {"kind": "refuse", "venue": venue})
    for one in ask(life.control, "accounts"):
        ask(life.control, "disconnect", {"account": one["name"], "how": "cut"})
    for one in ask(life.control, "accounts"):
        if one["venue"] == "binance_usdm":
            ask(life.control, "expire_key", {"account": one["name"]})
    life.live("back after errors")
    life.learn()


def keys_rotate_and_a_process_dies(life: Life) -> None:
    assert life.say("keys", "rotate") == 0
    life.learn()
    [ingest] = [one for one in supervisor.load_state(life.stack.config()).running if one.name == "ingest"]
    process.kill(ingest)
    life.until(lambda said: said["status"] == "ok" and len(said["accounts"]) == len(VENUES), "started again by the keeper")
    life.learn()
    assert life.say("status") == 0
    assert life.say("accounts", "list") == 0


def test_no_secret_comes_out_and_one_that_is_planted_is_found(stack: Stack) -> None:
    life = Life(stack)
    life.learn()
    accounts_change(life)
    venues_fail(life)
    keys_rotate_and_a_process_dies(life)
    assert len([name for name in life.secrets if name.startswith("listen key")]) >= 3
    assert len([name for name in life.secrets if name.startswith("vault")]) >= 2
    places = collect(stack.folder, life.addresses) | {"answers": life.answers.getvalue().encode()}
    assert {"redis", "table exchange_accounts", "table outbox", "topic account-updates", "file logs/ingest.log", "file logs/admin.log",
            "file logs/simulate.log", f"page {life.page}/health", f"page {life.page}/metrics"} <= places.keys()
    assert b"DEBUG" in places["file logs/ingest.log"]
    assert leaked(life.secrets, places) == []
    assert planted(life) == {"redis", "table planted", "topic dead-letters", "file logs/planted.log"}


def planted(life: Life) -> set[str]:
    """Where secrets are found once they lie about, each in another form."""
    secret = MINE["api_secret"].encode()
    producer = Producer({"bootstrap.servers": life.addresses["MARGINSTREAM_KAFKA_BOOTSTRAP"]})
    producer.produce("dead-letters", b"xy" + base64.b64encode(b"12" + secret), b"live:1")
    producer.flush()
    client = redis.Redis.from_url(life.addresses["MARGINSTREAM_REDIS_URL"])
    client.set("planted", secret.hex())
    client.close()
    with psycopg.connect(life.addresses["MARGINSTREAM_POSTGRES_DSN"], autocommit=True) as connection:
        connection.execute("CREATE TABLE planted (said BYTEA)")
        connection.execute("INSERT INTO planted VALUES (%s)", [secret])
    (life.stack.folder / "logs" / "planted.log").write_bytes(forms(secret)["url"])
    found = leaked({"secret": secret}, collect(life.stack.folder, life.addresses))
    return {line.partition(": secret")[0] for line in found}


def test_files_with_secrets_are_their_owners_alone(stack: Stack) -> None:
    folder: Path = stack.folder
    assert {name: (folder / name).stat().st_mode & 0o077 for name in ("env", "vault.json")} == {"env": 0, "vault.json": 0}
