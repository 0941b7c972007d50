"""Signatures of API keys: HMAC-SHA256, RSA (PKCS#1 v1.5) and Ed25519, told apart by what the secret is."""

import base64
import hashlib
import hmac
from functools import lru_cache
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from streams.venues.secret import Secret
from streams.venues.venue import Pairs


def encoded(pairs: Pairs) -> str:
    """The query, percent-encoded: what is signed is what is sent."""
    return urlencode(pairs, quote_via=quote)


def digest(secret: Secret, text: str) -> bytes:
    """HMAC-SHA256."""
    return hmac.new(secret.reveal().encode(), text.encode(), hashlib.sha256).digest()


def hex_digest(secret: Secret, text: str) -> str:
    return digest(secret, text).hex()


def base64_digest(secret: Secret, text: str) -> str:
    return base64.b64encode(digest(secret, text)).decode()


def signature(secret: Secret, text: str) -> str:
    """As Binance takes it: hex HMAC of a plain secret, base64 of a private key's in PEM. Raises `ValueError` on other keys."""
    if not secret.reveal().lstrip().startswith("-----BEGIN"):
        return hex_digest(secret, text)
    key = _private_key(secret)
    if isinstance(key, Ed25519PrivateKey):
        return base64.b64encode(key.sign(text.encode())).decode()
    return base64.b64encode(key.sign(text.encode(), PKCS1v15(), hashes.SHA256())).decode()


@lru_cache(maxsize=2_048)
def _private_key(secret: Secret) -> RSAPrivateKey | Ed25519PrivateKey:
    try:
        key = load_pem_private_key(secret.reveal().encode(), password=None)
    except (ValueError, TypeError):  # its words may quote the key
        raise ValueError("secret: expected an unencrypted private key in PEM, was another text") from None
    if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
        raise ValueError(f"secret: expected an RSA or Ed25519 key, was {type(key).__name__}")
    return key
