"""A link: the sockets of one connection epoch, from their opening to the moment all of them carry facts."""

from collections.abc import Sequence
from enum import IntEnum

from streams.venues.frames import Kind, Receipt
from streams.venues.venue import Key, Route
from streams.venues.words import Command, Login, Send


class Stage(IntEnum):
    OPENING = 0
    GREETED = 1
    ADMITTED = 2
    READY = 3


class Link:
    """Stages of its sockets, and the versions of what they bring: `receive_seq` 1 is the gap's, 2 the snapshot's, frames count from 3."""

    def __init__(self, epoch: int, key: Key, sockets: Sequence[int]) -> None:
        self.epoch, self.key = epoch, key
        self.routes: dict[int, Route] = dict(zip(sockets, key.routes, strict=True))
        self.stages = dict.fromkeys(sockets, Stage.OPENING)
        self.awaited = {socket: route.acknowledgements for socket, route in self.routes.items()}
        self.seq = 2
        self.frame_ms = 0

    @property
    def ready(self) -> bool:
        """Whether every socket carries facts."""
        return all(stage is Stage.READY for stage in self.stages.values())

    def opened(self, socket: int) -> list[Command]:
        """The handshake is done: what to send now."""
        return [] if self.routes[socket].welcome else self._reach(socket, Stage.GREETED)

    def heard(self, socket: int, kind: Kind) -> list[Command]:
        """A signal on the way to readiness: what to send now."""
        stage = self.stages[socket]
        if kind is Kind.WELCOME and stage is Stage.OPENING:
            return self._reach(socket, Stage.GREETED)
        if kind is Kind.LOGGED_IN and stage is Stage.GREETED:
            return self._reach(socket, Stage.ADMITTED)
        if kind is Kind.SUBSCRIBED and stage is Stage.ADMITTED:
            self.awaited[socket] -= 1
            if self.awaited[socket] <= 0:
                self.stages[socket] = Stage.READY
        return []

    def _reach(self, socket: int, stage: Stage) -> list[Command]:
        route = self.routes[socket]
        self.stages[socket] = stage
        if stage is Stage.GREETED and route.login:
            return [Login(socket)]
        self.stages[socket] = Stage.ADMITTED if self.awaited[socket] else Stage.READY
        return [Send(socket, text) for text in route.subscriptions]

    def receipt(self, owner: Receipt, received_ns: int) -> Receipt:
        """The next frame's version."""
        self.seq += 1
        return self._stamped(owner, received_ns, self.seq)

    def snapshot_receipt(self, owner: Receipt, received_ns: int) -> Receipt:
        """The version of what REST says: older than every frame of this link, newer than all of the link before."""
        return self._stamped(owner, received_ns, 2)

    def gap_receipt(self, owner: Receipt, received_ns: int) -> Receipt:
        """The version of what happened in the gap: the snapshot knows better."""
        return self._stamped(owner, received_ns, 1)

    def _stamped(self, owner: Receipt, received_ns: int, seq: int) -> Receipt:
        connection = f"{owner.account_id}-{owner.lease_epoch}-{self.epoch}"
        return owner._replace(connection_epoch=self.epoch, receive_seq=seq, received_ns=received_ns, connection_id=connection)
