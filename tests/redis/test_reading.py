"""What strangers put into Redis: what is read of it, what is refused, and that nothing crashes."""

import pytest

from streams.bridges.redis_reading import BadMessage, read_metadata, read_quote, read_symbol, read_update
from tests.redis.fuzz import fuzz

NOW = 1_705_314_600_000

UPDATES = {
    '{"user_id": 123, "delta": "5.50"}': ("live:123", "5.50", "", "realised_pnl"),
    '{"user_id": "live:123", "delta": -5.5, "id": "d1", "reason": "realised_pnl"}': ("live:123", "-5.5", "d1", "realised_pnl"),
    '{"user_id": "demo:7", "delta": "1e2", "reason": "Funding"}': ("demo:7", "100", "", "funding"),
    '{"user_id": "7", "user_type": "demo", "delta": 0.123456789012345678}': ("demo:7", "0.123456789012345678", "", "realised_pnl"),
    '{"user_id": "test-user-1", "delta": 1, "id": 77, "reason": null}': ("live:test-user-1", "1", "77", "realised_pnl"),
}
NO_UPDATES = ["", "{", "[]", "null", '"x"', "5", "{}", '{"user_id": 1}', '{"delta": 1}', '{"user_id": true, "delta": 1}',
              '{"user_id": 1, "delta": NaN}', '{"user_id": 1, "delta": Infinity}', '{"user_id": 1, "delta": "nan"}',
              '{"user_id": 1, "delta": "1e400"}', '{"user_id": 1, "delta": 0}', '{"user_id": 1, "delta": true}',
              '{"user_id": 1, "delta": []}', '{"user_id": "a b", "delta": 1}', '{"user_id": "a{b}", "delta": 1}',
              '{"user_id": 1, "delta": 1, "amount": 2}', '{"user_id": 1, "delta": 1, "id": ""}x', '{"user_id": 1, "delta": 1, "id": "a b"}',
              '{"user_id": 1, "delta": 1, "id": {}}', '{"user_id": 1, "delta": "0.1234567890123456789"}',
              '{"user_id": 1, "delta": 1000000000000000}', '{"user_id": 1, "delta": 1, "user_type": "Live Users"}', "\x00", "[" * 5_000,
              '{"user_id": 1, "delta": 1, "reason": 5e}', '{"user_id": "' + "x" * 5_000 + '", "delta": 1}']


@pytest.mark.parametrize("text", UPDATES)
def test_an_update_is_read_with_every_digit(text: str) -> None:
    found = read_update(text.encode(), "live")
    assert (found.user, found.amount, found.ident, found.kind) == UPDATES[text]


@pytest.mark.parametrize("text", NO_UPDATES)
def test_no_update_is_made_of_it(text: str) -> None:
    with pytest.raises(BadMessage):
        read_update(text.encode(), "live")


QUOTES = {
    (b"1.0790", b"1.0792", b"1705314600000"): NOW,
    (b"1.0790", b"1.0790", b"2024-01-15T10:30:00.000Z"): NOW,
    (b"0.5e3", b"1e3", b"2024-01-15T12:30:00+02:00"): NOW,
}
NO_QUOTES = [(None, b"1", b"1705314600000"), (b"1", None, b"1705314600000"), (b"1", b"2", None), (b"0", b"1", b"1705314600000"),
             (b"-1", b"1", b"1705314600000"), (b"2", b"1", b"1705314600000"), (b"nan", b"1", b"1705314600000"),
             (b"1", b"inf", b"1705314600000"), (b"1", b"2", b"1705314600"), (b"1", b"2", b"soon"), (b"1", b"2", b"9999999999999999"),
             (b"1", b"2", b"1705314700000"), (b"1", b"2" * 70, b"1705314600000"), (b"\xff", b"1", b"1705314600000"),
             (b"1" * 13, b"9" * 13, b"1705314600000"), (b"1,5", b"2", b"1705314600000"), (b"1", b"2", b"-5"),
             (b"0.0000000000001", b"2", b"1705314600000"), (b"0x1", b"2", b"1705314600000"), (b"1_0", b"20", b"1705314600000"),
             (b"1.0790", b"1705314600", b"1705314600000")]


@pytest.mark.parametrize("values", QUOTES, ids=str)
def test_a_hash_is_a_quote(values: tuple[bytes, bytes, bytes]) -> None:
    found = read_quote("EURUSD", list(values), NOW)
    assert (found.instrument, found.time_ms) == ("house:EURUSD", QUOTES[values])
    assert 0 < found.bid <= found.ask


@pytest.mark.parametrize("values", NO_QUOTES, ids=str)
def test_a_hash_is_no_price(values: tuple[object, ...]) -> None:
    with pytest.raises(BadMessage):
        read_quote("EURUSD", list(values), NOW)


@pytest.mark.parametrize("name", ["", "A B", "\n", "x" * 33, "{a}", "a:b", b"\xff", None, 5, "-A"])
def test_no_symbol(name: object) -> None:
    with pytest.raises(BadMessage):
        read_symbol(name)


METADATA = {
    '{"kyc": true, "risk": "high", "leverage": "50"}': {"kyc": True, "risk_tier": "high", "leverage": "50"},
    "kyc:true,risk:high,lev:50": {"kyc": True, "risk_tier": "high", "leverage": "50"},
    '{"kyc": false, "leverage": 100}': {"kyc": False, "leverage": "100"},
    " kyc: FALSE , risk: low": {"kyc": False, "risk_tier": "low"},
    "": {}, "{}": {},
}


@pytest.mark.parametrize("text", METADATA)
def test_both_forms_of_metadata(text: str) -> None:
    assert read_metadata(text.encode()) == METADATA[text]


@pytest.mark.parametrize("text", ["kyc", "kyc:maybe", "lev:x", "lev:-5", "lev:nan", "color:red", '{"kyc": []}', '{"kyc"', '{"leverage": 0}',
                                  b"\xff\xfe"])
def test_no_metadata(text: str | bytes) -> None:
    with pytest.raises(BadMessage):
        read_metadata(text if isinstance(text, bytes) else text.encode())


def test_nothing_malformed_crashes_or_becomes_a_price() -> None:
    found = fuzz(seed=7, count=6_000)
    assert found.crashed == []
    assert found.prices == []
    assert found.refused > 5_000
    assert found.good == found.good_read > 100  # the fuzz would not pass by refusing everything
