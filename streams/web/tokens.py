"""Whose a bearer token is: the single one is nobody's in particular, the named ones say by whom something was done."""

import hmac

NOBODY = "api"  # in particular: the owner of the single token, and everybody where none is asked for


class Tokens:
    """`named` is `name:token,...`; a name may have several (while one is exchanged). Without any token nobody is asked for one."""

    def __init__(self, single: str = "", named: str = "") -> None:
        pairs = [pair.partition(":") for pair in named.split(",") if pair]
        self._owners = [(token.encode(), name) for name, _, token in pairs]
        if single:
            self._owners.append((single.encode(), NOBODY))

    def __bool__(self) -> bool:
        return bool(self._owners)

    def owner(self, authorization: bytes) -> str | None:
        """Whose token the header `Authorization` holds; None where it is nobody's. Compared in constant time, with all of them."""
        scheme, _, credentials = authorization.partition(b" ")
        given = credentials.strip() if scheme.lower() == b"bearer" else b""
        found = [name for token, name in self._owners if hmac.compare_digest(given, token)]
        return found[0] if found else None if self else NOBODY
