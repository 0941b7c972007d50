"""Signatures, logins and refusals of the four records: checked with the public half of a key, or by a digest made here."""

import base64
import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from streams.venues import binance, bybit, kucoin, okx
from streams.venues.envelopes import merging
from streams.venues.places import read_hosts, venue_of
from streams.venues.secret import Secret
from streams.venues.signing import signature
from streams.venues.venue import Access, Credentials, Hosts, Reason, Request, Venue

GIVEN = Credentials(Secret("the-key"), Secret("the-secret"), Secret("the-passphrase"))
NOW = 1_790_000_000_123
ASKED = Request("x", "/api/x", (("symbol", "BTC USDT"), ("limit", "5")))
VENUES = {"binance_usdm": binance.venue(), "bybit_v5": bybit.venue(), "okx_v5": okx.venue(), "kucoin_futures": kucoin.venue()}


def pem(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> Secret:
    return Secret(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


def digest(text: str) -> bytes:
    return hmac.new(b"the-secret", text.encode(), hashlib.sha256).digest()


def test_an_rsa_key_signs_as_its_public_half_expects() -> None:
    key = rsa.generate_private_key(65_537, 2_048)
    said = base64.b64decode(signature(pem(key), "a=1&b=2"))
    key.public_key().verify(said, b"a=1&b=2", padding.PKCS1v15(), hashes.SHA256())


def test_an_ed25519_key_signs_as_its_public_half_expects() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    key.public_key().verify(base64.b64decode(signature(pem(key), "a=1&b=2")), b"a=1&b=2")


@pytest.mark.parametrize("secret", [Secret("-----BEGIN PRIVATE KEY-----\nnotakey\n-----END PRIVATE KEY-----"),
                                    pem(ec.generate_private_key(ec.SECP256R1()))])
def test_a_key_that_is_none_is_refused_without_its_text(secret: Secret) -> None:
    with pytest.raises(ValueError, match="expected") as refused:
        signature(secret, "x")
    assert "notakey" not in repr(refused.value) + repr(refused.value.__context__ if not refused.value.__suppress_context__ else "")


def test_binance_signs_the_query_as_sent_signature_last() -> None:
    query = binance.sign(GIVEN, ASKED, NOW).query
    text, _, signed = query.rpartition("&signature=")
    assert text == f"symbol=BTC%20USDT&limit=5&recvWindow=5000&timestamp={NOW}"
    assert signed == digest(text).hex()


def test_the_others_sign_as_their_documents_say() -> None:
    query = "symbol=BTC%20USDT&limit=5"
    by, ok, ku = (VENUES[name].sign(GIVEN, ASKED, NOW) for name in ("bybit_v5", "okx_v5", "kucoin_futures"))
    assert {by.query, ok.query, ku.query} == {query}
    assert by.headers["X-BAPI-SIGN"] == digest(f"{NOW}the-key5000{query}").hex()
    assert ok.headers["OK-ACCESS-TIMESTAMP"] == "2026-09-21T14:13:20.123Z"
    assert ok.headers["OK-ACCESS-SIGN"] == base64.b64encode(digest(f"2026-09-21T14:13:20.123ZGET/api/x?{query}")).decode()
    assert ku.headers["KC-API-SIGN"] == base64.b64encode(digest(f"{NOW}GET/api/x?{query}")).decode()
    assert ku.headers["KC-API-PASSPHRASE"] == base64.b64encode(digest("the-passphrase")).decode()


def test_the_demo_of_okx_says_so() -> None:
    assert okx.venue(okx.DEMO).sign(GIVEN, ASKED, NOW).headers["x-simulated-trading"] == "1"
    assert "x-simulated-trading" not in okx.venue().sign(GIVEN, ASKED, NOW).headers


def test_logins_are_signed() -> None:
    assert VENUES["bybit_v5"].login is not None
    key, expires, signed = json.loads(VENUES["bybit_v5"].login(GIVEN, NOW))["args"]
    assert (key, expires > NOW, signed) == ("the-key", True, digest(f"GET/realtime{expires}").hex())
    assert VENUES["okx_v5"].login is not None
    [said] = json.loads(VENUES["okx_v5"].login(GIVEN, NOW))["args"]
    assert said["sign"] == base64.b64encode(digest(f"{NOW // 1000}GET/users/self/verify")).decode()


@pytest.mark.parametrize("venue", VENUES.values(), ids=VENUES)
def test_what_is_public_carries_nothing(venue: Venue) -> None:
    assert venue.clock.access is Access.PUBLIC
    assert venue.sign(GIVEN, venue.clock, NOW).headers == {}


@pytest.mark.parametrize(("venue", "status", "body", "reason"), [
    ("binance_usdm", 400, '{"code":-1125,"msg":"x"}', Reason.KEY_GONE), ("binance_usdm", 400, '{"code":-1021,"msg":"x"}', Reason.CLOCK),
    ("binance_usdm", 401, '{"code":-2014,"msg":"x"}', Reason.AUTH), ("binance_usdm", 401, '{"code":-2015,"msg":"x"}', Reason.AUTH),
    ("binance_usdm", 400, '{"code":-1022,"msg":"x"}', Reason.AUTH), ("binance_usdm", 418, '{"code":-1003}', Reason.BANNED),
    ("binance_usdm", 429, "", Reason.LIMITED), ("binance_usdm", 403, "<html>", Reason.BANNED), ("binance_usdm", 503, "", Reason.TRANSIENT),
    ("binance_usdm", 400, '{"code":-2013,"msg":"x"}', Reason.REFUSED), ("binance_usdm", 408, '{"code":-1007}', Reason.TRANSIENT),
    ("bybit_v5", 200, '{"retCode":10003,"retMsg":"x"}', Reason.AUTH), ("bybit_v5", 200, '{"retCode":10002}', Reason.CLOCK),
    ("bybit_v5", 403, "<html>", Reason.BANNED), ("bybit_v5", 200, '{"retCode":10006}', Reason.LIMITED),
    ("bybit_v5", 200, "<html>half an answer", Reason.TRANSIENT), ("bybit_v5", 200, '{"retCode":110001}', Reason.REFUSED),
    ("okx_v5", 401, '{"code":"50113","msg":"x"}', Reason.AUTH), ("okx_v5", 401, '{"code":"50102","msg":"x"}', Reason.CLOCK),
    ("okx_v5", 429, '{"code":"50011"}', Reason.LIMITED), ("okx_v5", 200, '{"code":"51603"}', Reason.REFUSED),
    ("okx_v5", 503, "", Reason.TRANSIENT), ("kucoin_futures", 401, '{"code":"400005"}', Reason.AUTH),
    ("kucoin_futures", 401, '{"code":"400002"}', Reason.CLOCK), ("kucoin_futures", 429, '{"code":"429000"}', Reason.LIMITED),
    ("kucoin_futures", 200, '{"code":"100001"}', Reason.REFUSED), ("kucoin_futures", 500, "", Reason.TRANSIENT)])
def test_a_refusal_has_its_reason(venue: str, status: int, body: str, reason: Reason) -> None:
    judged = VENUES[venue].judge(status, {}, body.encode())
    assert judged is not None
    assert judged.reason is reason
    assert (judged.retry_after_ms > 0) == (reason in (Reason.LIMITED, Reason.BANNED))


@pytest.mark.parametrize(("venue", "body"), [("binance_usdm", "[]"), ("bybit_v5", '{"retCode":0}'), ("okx_v5", '{"code":"0"}'),
                                             ("kucoin_futures", '{"code":"200000"}')])
def test_an_answer_is_no_refusal(venue: str, body: str) -> None:
    assert VENUES[venue].judge(200, {}, body.encode()) is None


def test_what_bybit_repeats_of_a_signature_is_not_said() -> None:
    judged = VENUES["bybit_v5"].judge(200, {}, b'{"retCode":10004,"retMsg":"error sign! origin_string[1790the-key5000x=1]"}')
    assert judged is not None
    assert "the-key" not in judged.text


def test_pages_are_put_together_and_numbers_stay_themselves() -> None:
    pages = [b'{"code":"0","data":[{"a":3.92e-06,"b":"0.10"}]}', b'{"code":"0","data":[{"a":0.10,"b":9007199254740993}]}']
    merged = json.loads(merging("data")(pages))
    assert merged["data"] == [{"a": "3.92e-06", "b": "0.10"}, {"a": "0.10", "b": 9_007_199_254_740_993}]
    assert merging("data")(pages[:1]) == pages[0]


@pytest.mark.parametrize(("text", "found"), [
    ("", {}), ("binance_usdm=http://h:1|ws://h:2", {"binance_usdm": Hosts("http://h:1", "ws://h:2")}),
    ("okx_v5=https://h/|wss://h/", {"okx_v5": Hosts("https://h", "wss://h")})])
def test_addresses_are_read(text: str, found: dict[str, Hosts]) -> None:
    assert read_hosts(text) == found


@pytest.mark.parametrize("text", ["x", "binance_usdm=h", "nowhere=http://h|ws://h", "okx_v5=http://h", "okx_v5=http://h|http://h"])
def test_addresses_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        read_hosts(text)


def test_a_venue_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of"):
        venue_of("kraken", "mainnet", {})
    with pytest.raises(ValueError, match="demo"):
        venue_of("kucoin_futures", "demo", {})
