"""Secrets at rest: AES-256-GCM, bound to their row, under keys that lie in a file outside the database and can be exchanged."""

import base64
import json
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from streams.config import Config
from streams.venues.secret import Secret

_VERSION = 1
_NONCE_BYTES, _KEY_BYTES = 12, 32


class Sealed(ValueError):
    """A ciphertext that does not open: another row's, another key's, or changed."""


class Place(NamedTuple):
    """The row and column a secret belongs to: it opens nowhere else."""

    user: str
    account: str
    venue: str
    purpose: str

    def bound(self) -> bytes:
        return "|".join((str(_VERSION), *self)).encode()


class Vault:
    """Keys of a file, `{"current": id, "keys": {id: base64}}`; read again where a ciphertext names a key not known yet."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._keys: dict[str, AESGCM] = {}
        self.current, self._read_ns = "", 0
        self._load()

    def __repr__(self) -> str:
        return f"Vault({self.current!r} of {len(self._keys)} keys)"

    def seal(self, secret: Secret, place: Place) -> bytes:
        """Version, key id, nonce and ciphertext. The nonce is random: 2^32 secrets a key, then rotate."""
        if self._file.stat().st_mtime_ns != self._read_ns:  # another process made a key
            self._load()
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._keys[self.current].encrypt(nonce, secret.reveal().encode(), place.bound())
        return bytes((_VERSION, len(self.current))) + self.current.encode() + nonce + sealed

    def open(self, sealed: bytes, place: Place) -> Secret:
        """The secret; raises `Sealed`."""
        key, rest = self._key(sealed)
        try:
            return Secret(key.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], place.bound()).decode())
        except (InvalidTag, ValueError):
            raise Sealed(f"secret {place.purpose}: expected one sealed for {place.user} {place.account}, was another") from None

    def is_current(self, sealed: bytes) -> bool:
        """Whether it is under the newest key."""
        return key_id(sealed) == self.current

    def _key(self, sealed: bytes) -> tuple[AESGCM, bytes]:
        ident = key_id(sealed)
        if ident not in self._keys:
            self._load()
        if ident not in self._keys:
            raise Sealed(f"secret: expected a key of {self._file.name}, was {ident!r}")
        return self._keys[ident], sealed[2 + sealed[1]:]

    def _load(self) -> None:
        try:
            read_ns = self._file.stat().st_mtime_ns
            said = json.loads(self._file.read_text())
            keys = {name: AESGCM(base64.b64decode(text, validate=True)) for name, text in said["keys"].items()}
            if said["current"] not in keys:
                raise ValueError
            self.current, self._keys, self._read_ns = said["current"], keys, read_ns
        except FileNotFoundError:
            raise Sealed(f"{self._file}: expected a file of keys, was none; 'marginstream keys rotate' makes one") from None
        except (ValueError, KeyError, TypeError, AttributeError):  # its words may quote a key
            raise Sealed(f'{self._file}: expected {{"current": id, "keys": {{id: 32 bytes in base64}}}}, was another text') from None


def key_id(sealed: bytes) -> str:
    """Which key it is under; raises `Sealed`."""
    if len(sealed) < 2 or sealed[0] != _VERSION or len(sealed) < 2 + sealed[1] + _NONCE_BYTES:
        raise Sealed(f"secret: expected version {_VERSION}, key id, nonce and ciphertext, was {len(sealed)} other bytes")
    return sealed[2:2 + sealed[1]].decode(errors="replace")


def add_key(file: Path) -> str:
    """Adds a random key and makes it the current one; the file (0600) is replaced whole. Its id."""
    said = json.loads(file.read_text()) if file.exists() else {"keys": {}}
    ident = f"k{len(said['keys']) + 1}-{secrets.token_hex(3)}"
    said["keys"][ident] = base64.b64encode(AESGCM.generate_key(_KEY_BYTES * 8)).decode()
    _write(file, said | {"current": ident})
    return ident


def with_key(file: Path) -> Path:
    """The same file, with a first key where there was none; of processes that make one at once the quickest one's stays."""
    if not file.exists():
        made = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
        add_key(made)
        with suppress(FileExistsError):
            os.link(made, file)
        made.unlink()
    return file


def vault_file(config: Config) -> Path:
    """Where the keys of secrets lie."""
    return Path(config.vault_file or Path(config.data_dir) / "vault.json")


def drop_keys(file: Path, kept: set[str]) -> list[str]:
    """Removes keys that nothing is under any more, never the current one. Their ids."""
    said = json.loads(file.read_text())
    gone = [ident for ident in said["keys"] if ident not in kept and ident != said["current"]]
    if gone:
        _write(file, said | {"keys": {ident: text for ident, text in said["keys"].items() if ident not in gone}})
    return gone


def _write(file: Path, said: dict[str, object]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    scratch = file.with_name(file.name + ".new")
    scratch.unlink(missing_ok=True)
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(json.dumps(said, indent=1))
        out.flush()
        os.fsync(out.fileno())
    scratch.replace(file)
