"""What a publisher says to sessions."""

from collections.abc import Sequence


class Heard:
    """Remembers it: what was lost, and how often there was room again."""

    def __init__(self) -> None:
        self.lost: list[tuple[str, str]] = []
        self.roomy = 0

    def told_lost(self, found: Sequence[tuple[str, str]]) -> None:
        self.lost += found

    def told_roomy(self) -> None:
        self.roomy += 1
