"""One WebSocket of a venue, from its place in the queue to its end, and why it ended: in words that hold no URL."""

import logging
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import websockets
from websockets.asyncio.client import ClientConnection

from streams.venues.rest import Rest
from streams.venues.secret import Secret
from streams.venues.venue import Judged

_mute = logging.getLogger("marginstream.websockets")  # the library tells whole URLs and frames at DEBUG: keys and tokens are among them
_mute.setLevel(logging.CRITICAL + 1)
_OPEN_S, _CLOSE_S, _PING_S = 20.0, 2.0, 20.0


class Room(NamedTuple):
    """What may wait to be heard: frames, and bytes of one."""

    frames: int
    frame_bytes: int


class Ended(NamedTuple):
    """Why there is no more; `judged` where the venue refused the handshake."""

    text: str
    judged: Judged | None = None


async def converse(rest: Rest, url: Secret, room: Room, listen: Callable[[ClientConnection], Awaitable[None]], *, urgent: bool) -> Ended:
    """Connects when the venue's budget allows it and listens; returns when the socket has ended, or was never opened."""
    try:
        await rest.egress.enter(0, urgent, connect=True)
        async with websockets.connect(
                url.reveal(), open_timeout=_OPEN_S, close_timeout=_CLOSE_S, ping_interval=_PING_S, ping_timeout=_PING_S,
                max_queue=room.frames, max_size=room.frame_bytes, compression=None, logger=_mute) as connection:
            await listen(connection)
    except websockets.InvalidStatus as refused:
        answer = refused.response
        judged = rest.venue.judge(answer.status_code, answer.headers, bytes(answer.body or b""))
        if judged is not None:
            rest.egress.shut(judged)
        return Ended(f"handshake: {answer.status_code}", judged)
    except websockets.ConnectionClosed as closed:
        return Ended(f"code {closed.rcvd.code if closed.rcvd else 'none'}")
    except (OSError, TimeoutError, EOFError, websockets.WebSocketException, ValueError) as error:  # its words may hold the URL
        return Ended(type(error).__name__)
    return Ended("ended")
