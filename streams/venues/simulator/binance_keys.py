"""Who calls Binance: API keys, signatures over the exact bytes, clock window, listen keys."""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from streams.venues.simulator.books import Account
from streams.venues.simulator.clock import Clock
from streams.venues.simulator.venue import Answer, Call, Switches

_WINDOW_MS, _WINDOW_MAX_MS, _AHEAD_MS = 5_000, 60_000, 1_000


def error(status: int, code: int, text: str) -> Answer:
    """Binance's error body."""
    return Answer(status, {"code": code, "msg": text})


def verify_time(call: Call, now_ms: int, switches: Switches) -> None:
    """-1021 outside the window."""
    try:
        sent, window = int(call.params["timestamp"]), int(float(call.params.get("recvWindow") or _WINDOW_MS))
    except KeyError:
        raise error(400, -1102, "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed.") from None
    except ValueError:
        raise error(400, -1100, "Illegal characters found in parameter 'timestamp'; legal range is '^[0-9]{1,20}$'.") from None
    if window > _WINDOW_MAX_MS:
        raise error(400, -1131, "recvWindow must be less than 60000")
    if switches.check_time and sent >= now_ms + _AHEAD_MS:
        raise error(400, -1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if switches.check_time and sent < now_ms - window:
        raise error(400, -1021, "Timestamp for this request is outside of the recvWindow.")


def verify_signature(account: Account, call: Call) -> None:
    """-1022 unless the signature is that of query + body without it, byte for byte."""
    payload, signature = _split(call)
    if not signature:
        raise error(400, -1102, "Mandatory parameter 'signature' was not sent, was empty/null, or malformed.")
    if not _matches(account, payload.encode(), signature):
        raise error(400, -1022, "Signature for this request is not valid.")


def _split(call: Call) -> tuple[str, str]:
    pieces = [[piece for piece in text.split("&") if not piece.startswith("signature=")] for text in (call.query, call.body)]
    return "&".join(pieces[0]) + "&".join(pieces[1]), call.params.get("signature", "")


def _matches(account: Account, payload: bytes, signature: str) -> bool:
    if not account.public_key:
        return hmac.compare_digest(hmac.new(account.secret.encode(), payload, hashlib.sha256).hexdigest(), signature.lower())
    key = serialization.load_pem_public_key(account.public_key.encode())
    try:
        raw = base64.b64decode(signature.replace(" ", "+"), validate=True)
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(raw, payload)
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(raw, payload, padding.PKCS1v15(), hashes.SHA256())
        else:
            return False
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass(slots=True)
class ListenKey:
    """A live or expired key; sockets stay open after it ended, mute."""

    text: str
    account: str
    expires_ms: int


class ListenKeys:
    """One live key per account; created, extended and ended as REST and WS API say."""

    def __init__(self, clock: Clock, switches: Switches) -> None:
        self._clock, self._switches = clock, switches
        self._live: dict[str, ListenKey] = {}
        self._made = 0

    def create(self, account: Account) -> ListenKey:
        """The live key, extended, or a new one."""
        key = self.live(account.name)
        if key is None:
            self._made += 1
            seed = f"{account.key}/{self._clock.now_ms()}/{self._made}".encode()
            raw = hashlib.sha512(seed).digest()
            key = ListenKey(base64.b64encode(raw, b"Aa").decode().rstrip("=")[:64], account.name, 0)
            self._live[account.name] = key
        self.extend(key)
        return key

    def extend(self, key: ListenKey) -> None:
        """Another hour."""
        key.expires_ms = self._clock.now_ms() + self._switches.key_minutes * 60_000

    def live(self, account: str) -> ListenKey | None:
        """The account's key that has not ended."""
        key = self._live.get(account)
        return key if key and key.expires_ms > self._clock.now_ms() else None

    def find(self, text: str) -> ListenKey | None:
        """A live key by its text."""
        return next((key for key in self._live.values() if key.text == text and key.expires_ms > self._clock.now_ms()), None)

    def end(self, account: str) -> ListenKey | None:
        """Take the key away."""
        return self._live.pop(account, None)

    def expired(self) -> Iterator[ListenKey]:
        """Keys whose time is over, each once."""
        for name, key in list(self._live.items()):
            if key.expires_ms <= self._clock.now_ms():
                del self._live[name]
                yield key
