"""Answers in an envelope with a code of its own: what it means, its rows, and pages put together."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from streams.venues.venue import Judged, Reason

_STATUSES = {401: Reason.AUTH, 403: Reason.BANNED, 418: Reason.BANNED, 429: Reason.LIMITED, 408: Reason.TRANSIENT}
_SHUT_MS = {Reason.BANNED: 600_000, Reason.LIMITED: 10_000}


def judging(name: str, right: str, reasons: Mapping[str, Reason]) -> Callable[[int, Mapping[str, str], bytes], Judged | None]:
    """How a venue judges whose answers carry a code under `name`, `right` where all is well; a code known goes before the status."""

    def judge(status: int, headers: Mapping[str, str], body: bytes) -> Judged | None:
        said = _object(body)
        code = str(said.get(name, ""))
        if status < 400 and code == right:
            return None
        row = _failed_row(said)
        code = str(row.get("sCode") or code)
        unknown = Reason.TRANSIENT if status >= 500 or not code else Reason.REFUSED  # a firewall's page, half an answer
        reason = reasons.get(code) or _STATUSES.get(status) or unknown
        after = headers.get("Retry-After", "")
        wait_ms = int(after) * 1_000 if after.isdigit() else _SHUT_MS.get(reason, 0)
        words = str(row.get("sMsg") or said.get("retMsg") or said.get("msg") or "")
        text = words.partition("origin_string")[0]  # Bybit repeats what was signed, the key in it
        return Judged(reason, wait_ms, f"{status} {code} {text[:120]}".strip(), code)

    return judge


def inner(body: bytes, *path: str) -> Any:
    """What lies under the names; raises `ValueError`."""
    found: Any = json.loads(body)
    for name in path:
        if not isinstance(found, dict) or name not in found:
            raise ValueError(f"answer: expected {'.'.join(path)}, was without {name}")
        found = found[name]
    return found


def listed(body: bytes, *path: str) -> list[dict[str, Any]]:
    """The rows under the names; raises `ValueError`."""
    found = inner(body, *path)
    if not isinstance(found, list):
        raise ValueError(f"answer: expected a list under {'.'.join(path)}, was {type(found).__name__}")
    return found


def merging(*path: str) -> Callable[[Sequence[bytes]], bytes]:
    """Puts the rows of all pages into the first one's envelope; floats become the texts they were."""

    def merge(pages: Sequence[bytes]) -> bytes:
        if len(pages) == 1:
            return pages[0]
        first = whole = json.loads(pages[0], parse_float=_text)
        for name in path[:-1]:
            whole = whole[name]
        whole[path[-1]] = [row for page in pages for row in _rows(page, path)]
        return json.dumps(first).encode()

    return merge


def _rows(page: bytes, path: Sequence[str]) -> list[Any]:
    found: Any = json.loads(page, parse_float=_text)
    for name in path:
        found = found[name]
    return list(found)


def _failed_row(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """OKX says of each order by itself why it was not taken; the first one's words."""
    rows = said.get("data")
    failed = [row for row in rows if isinstance(row, dict) and row.get("sCode", "0") != "0"] if isinstance(rows, list) else []
    return failed[0] if failed else {}


def _text(number: str) -> str:
    """A float as a text: the normaliser takes both, and 3.92e-06 or 0.10 stay themselves."""
    return number


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
