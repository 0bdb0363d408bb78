"""When the agent of a machine is started again.  Decides; does nothing, reads no clock."""

from __future__ import annotations

from typing import Final

FIRST_DELAY_S: Final = 1.0
LONGEST_DELAY_S: Final = 120.0
LEFT_DELAY_S: Final = 10.0
GOOD_LIFE_S: Final = 20.0  # who was up for so long begins with the first delay


class Keeper:
    """One machine's agent: starting, up, or waiting for its next start."""

    def __init__(self) -> None:
        self.running = False
        self.up = False
        self.ever_up = False
        self.failures = 0  # in a row
        self.trouble = ""  # why it is not up, as far as is known
        self._told = ""
        self._ever_before = False  # as it was started last
        self._not_before = 0.0
        self._up_since = 0.0

    def wait_s(self, now: float) -> float:
        """Return how long it is until the next start is due; for one that runs, forever."""
        return float("inf") if self.running else max(0.0, self._not_before - now)

    def started(self) -> None:
        """Note that ssh runs."""
        self.running = True
        self._ever_before = self.ever_up

    def welcomed(self, now: float) -> bool:
        """Note that its workers belong to the run; tell whether it is back after trouble."""
        back = bool(self.trouble)
        self.up = self.ever_up = True
        self.trouble = self._told = ""
        self._up_since = now
        return back

    def left(self, now: float) -> None:
        """Note that it has ended because the broker said so: the run is over, or nearly."""
        self.running = self.up = False
        self._not_before = now + LEFT_DELAY_S

    def ended(self, trouble: str, now: float, *, in_vain: bool = False) -> bool:
        """Note why it has ended; tell whether that is worth a word.

        ``in_vain``: it was up, and could do nothing there; that counts as never up.
        """
        if in_vain:
            self.ever_up = self._ever_before
        if self.up and now - self._up_since > GOOD_LIFE_S:
            self.failures = 0
        self.running = self.up = False
        self.failures += 1
        self._not_before = now + self.delay_s()
        self.trouble = trouble
        news = trouble != self._told
        self._told = trouble
        return news

    def delay_s(self) -> float:
        """Return how long it waits after the last failure."""
        return float(min(LONGEST_DELAY_S, FIRST_DELAY_S * 2 ** min(self.failures - 1, 16)))
