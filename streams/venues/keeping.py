"""What a live link needs to stay one: its key renewed, its silence looked into, doubts followed up."""

from streams.venues.attempts import Attempts
from streams.venues.decode import snapshot
from streams.venues.frames import Asked, Unreadable
from streams.venues.links import Link
from streams.venues.secret import Secret
from streams.venues.venue import Key, Reason, Request
from streams.venues.words import Polled, Report, Save, State


class Keeping(Attempts):
    """Between two attempts."""

    _doubted_ms = _watched_ms = 0

    def _renew(self) -> None:
        assert self.venue.renew is not None
        assert self.key is not None
        if self.now_ms - self._renewed_ms > self.venue.key_age_ms_max:
            self._lose("key_too_old", f"expected a renewal within {self.venue.key_age_ms_max} ms", alert=True)
        else:
            self._ask("renew", self.venue.renew(self.key))

    def _renewed(self, token: Secret | None) -> None:
        assert self.key is not None
        if token and token != self.key.token:
            self._lose("key_mismatch", "somebody made another key: ours tells nothing")
            return
        self._renewals_failed, self._renewed_ms = 0, self.now_ms
        if self.key.expires_ms is not None:
            self.key = self.key._replace(expires_ms=self.now_ms + self.venue.key_life_ms)
            self._said.append(Save(self.key))
        self._renew_in()

    def _renewal_failed(self, reason: Reason, text: str) -> None:
        """Never in silence: tried again soon, then by a new key; a refused one is asked for anew at once."""
        self._renewals_failed += 1
        self._said.append(Report("renew_failed", f"{reason} {text}", alert=True))
        if reason is Reason.KEY_GONE:
            self._lose("key_gone", text)
        elif reason is Reason.AUTH or self._renewals_failed > len(self.policy.renew_again_ms):
            self._begin()
        else:
            self._timers["renew", 0] = self.now_ms + self.policy.renew_again_ms[self._renewals_failed - 1]

    def _complete(self) -> None:
        """Asks for the fees of fills that the stream told without."""
        if self.live is not None and self.venue.complete is not None:  # else the next link's reading covers them
            self._ask("complete", self.venue.complete(self.now_ms - self.policy.gap_margin_ms))
            if self._lite_ms + self.policy.rest_lag_ms > self.now_ms:  # REST may not know that one yet: it is asked once more
                self._timers["complete", 0] = self._lite_ms + self.policy.rest_lag_ms

    def _completed(self, request: Request, body: bytes) -> None:
        if self.live is not None:
            receipt = self.live.receipt(self.owner, self.now_ms * 1_000_000)
            self._publish(snapshot(self.venue.name, {request.part: body}, receipt, Asked(self.now_ms, "")))
            if further := self.venue.next_page(request, body):
                self._ask("complete", further)

    def _watch(self) -> None:
        self._timers["watch", 0] = self.now_ms + self.policy.silent_ms
        if self.live is None:
            return
        allowed = self.policy.silent_ms if self.memory.exposed else self.policy.silent_idle_ms
        if self.now_ms - max(self.live.frame_ms, self.live_since_ms, self._watched_ms) >= allowed:
            self._watched_ms = self.now_ms
            self._ask("watch", self.venue.watch)

    def _watched(self, newest_ms: int) -> None:
        known_ms = max(self.memory.event_ms, self.read_ms)
        if newest_ms > known_ms + self.policy.silent_by_ms:
            self._lose("silent", f"the venue changed {newest_ms - known_ms} ms after the last fact told", alert=True)

    def _doubt(self, text: str) -> None:
        """Reads everything again beside the live link, not more often than every ten minutes."""
        if self.live is not None and self.now_ms - self._doubted_ms >= self.policy.doubt_every_ms:
            self._doubted_ms = self.now_ms
            self._said.append(Report("doubted", text))
            self._begin()

    def _polled(self, happened: Polled) -> None:
        """Told as a link of its own, newer than any before and older than the next: only where none is or comes, or was meanwhile."""
        coming = self.attempt is not None and self.attempt.link is not None
        if self.live or coming or self.links != happened.links or self.state in (State.HELD, State.AUTH_FAILED, State.STOPPED):
            return
        self._epoch += 1
        receipt = Link(self._epoch, Key(()), ()).snapshot_receipt(self.owner, self.now_ms * 1_000_000)
        asked = Asked(happened.as_of_ms, f"{receipt.connection_id}-{happened.as_of_ms}", self.memory.held)
        try:
            self._publish(snapshot(self.venue.name, dict(happened.parts), receipt, asked))
        except Unreadable as error:
            self._said.append(Report("unreadable", f"poll: {error}", alert=True))
        else:
            self._said.append(Report("polled", f"epoch {self._epoch}: the stream is down"))

    def _steady(self) -> None:
        self._failures = 0
