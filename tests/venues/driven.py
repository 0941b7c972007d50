"""A venue's handlers driven by hand, without an event loop or a socket."""

from collections.abc import Awaitable, Coroutine, Generator
from typing import Any

from multidict import CIMultiDict
from yarl import URL


class Asked:
    """As much of an HTTP request as the simulator looks at."""

    remote, transport = "", None

    def __init__(self, method: str, path: str, headers: dict[str, str]) -> None:
        url = URL(path, encoded=True)
        self.method, self.path, self.raw_path, self.query = method, url.path, path, url.query
        self.headers, self.match_info = CIMultiDict(headers), dict[str, str]()


class Parked:
    """Where a handler stays while its connection is open."""

    def __await__(self) -> Generator[None]:
        yield


def drive(work: Coroutine[Any, Any, object] | Awaitable[object]) -> bool:
    """Runs what does not wait to its end, or to where it is parked: whether it is."""
    assert isinstance(work, Coroutine)
    try:
        work.send(None)
    except StopIteration:
        return False
    return True
