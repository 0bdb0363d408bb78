"""Whether the broker and the root are started again after their end.  Decides; does nothing."""

from __future__ import annotations

import signal
from typing import Final

import msgspec

from .wording import NO_DESCRIPTOR, how_it_ended, last_words

BAD_STARTS: Final = 3
SHORT_LIVES: Final = 5  # deaths of its own fault, soon after it began to serve
SHORT_LIFE_S: Final = 5.0
UNLUCKY_STARTS: Final = 10  # ended from outside before it was up: no fault of its own
OPERATOR_ERROR: Final = 2
PREFIX: Final = "scoop-ft: "


class Again(msgspec.Struct, frozen=True):
    """Start it again; ``text`` says what happened."""

    text: str


class GiveUp(msgspec.Struct, frozen=True):
    """End the run; ``at_start``: it has never come to work."""

    text: str
    exit_code: int
    at_start: bool = False


class RootEnded(msgspec.Struct, frozen=True):
    """The script has ended by itself."""

    exit_code: int


class BrokerUpkeep:
    """The broker's deaths."""

    def __init__(self) -> None:
        self.restarts = 0
        self._ever_up = False
        self._bad_starts = 0
        self._short_lives = 0

    def ended(
        self, code: int, by: int, *, was_up: bool, lived_s: float, stderr: list[str]
    ) -> Again | GiveUp:
        """Decide after the broker's end; ``was_up`` when it had answered since its start."""
        self._ever_up = self._ever_up or was_up
        words = [line for line in stderr if line.strip()]
        if code == OPERATOR_ERROR and words and words[-1].startswith(PREFIX):
            text = words[-1].removeprefix(PREFIX).removeprefix("error: ")
            return GiveUp(text, OPERATOR_ERROR, at_start=not self._ever_up)
        how = how_it_ended(code, by)
        # ØMQ aborts when it has no descriptor for one that connects to a socket on ipc.  That
        # others have so many, on tcp, passes: one who shows no key is cut off after half a minute.
        crowded = self._ever_up and bool(words) and NO_DESCRIPTOR in words[-1]
        self._bad_starts = 0 if was_up or crowded else self._bad_starts + 1
        # It ends with 0 only when somebody has told it to.
        killed = by in (signal.SIGKILL, signal.SIGTERM) or (code, by) == (0, 0)
        if not killed and not crowded:
            self._short_lives = self._short_lives + 1 if lived_s < SHORT_LIFE_S else 0
        times = 0
        if self._bad_starts >= (UNLUCKY_STARTS if killed else BAD_STARTS):
            times, when = self._bad_starts, "as it started"
        elif self._short_lives >= SHORT_LIVES and not killed and not crowded:
            times, when = self._short_lives, "soon after its start"
        if times:
            last = f": {last_words(words[-1])}" if words else ""
            text = f"the broker {how} {when}, {times} times in a row{last}"
            if not self._ever_up:
                return GiveUp(text, 1, at_start=True)
            return GiveUp(f"{text}; its log is logs/broker.log in the run directory", 1)
        self.restarts += 1
        reason = f" ({last_words(words[-1])})" if crowded else ""
        return Again(f"the broker {how}{reason}; started again")


class RootUpkeep:
    """The root's deaths."""

    def __init__(self, max_attempts: int) -> None:
        self.restarts = 0
        self._max_attempts = max_attempts
        self._in_vain = 0  # restarts since a task was last done
        self._done = 0

    def ended(
        self, code: int, by: int, *, done: int, recorded: int | None
    ) -> Again | GiveUp | RootEnded:
        """Decide after the root's end; ``recorded`` is the exit code the broker knows, if any."""
        if recorded is not None and by:
            return RootEnded(recorded)
        if not by:
            return RootEnded(code)
        if done > self._done:
            self._in_vain = 0
        self._done = max(done, self._done)
        if self._in_vain >= self._max_attempts:
            times = f"{self._in_vain + 1} times in a row with no task done in between"
            return GiveUp(f"the script's process {how_it_ended(code, by)}, {times}", 128 + by)
        self._in_vain += 1
        self.restarts += 1
        return Again(f"the script's process {how_it_ended(code, by)}; started again")
