"""The end of a run: workers and root first, the broker after them, each with some patience.

Why a run ends, and with which exit code, is decided elsewhere.
"""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Final

from .stopping import TO_SAVE_S

if TYPE_CHECKING:
    from .supervisor import Supervisor

BROKER_PATIENCE_S: Final = 0.9
LAST_FIGURES_S: Final = 0.2


class Ending:
    """Whom to tell to end, and when to kill.

    Attributes
    ----------
    exit_code : int
        The launcher's.
    broker_told : bool
        Its turn has come.
    """

    def __init__(
        self, owner: Supervisor, exit_code: int, patience_s: float, *, wants_figures: bool
    ) -> None:
        now = time.monotonic()
        self.exit_code = exit_code
        self.broker_told = False
        self._once_more = False
        self._owner = owner
        self._kill_at = now + patience_s
        self._figures_by = now + LAST_FIGURES_S if wants_figures else now
        self._asked_at = now
        self._kill_broker_at = 0.0

    def step(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        living = self._owner.living()
        broker = self._owner.broker()
        if living and now >= self._kill_at:
            for child in living:
                child.signal(signal.SIGKILL)
        if broker is None:
            return
        if not self.broker_told and not living and self._has_figures(now):
            self.broker_told = True
            self._kill_broker_at = now + BROKER_PATIENCE_S
            broker.signal(signal.SIGTERM)
        elif self.broker_told and now >= self._kill_broker_at:
            broker.signal(signal.SIGKILL)

    def needs_broker_once_more(self) -> bool:
        """Has the broker ended before those who shall save and hand over what they have?

        Schedulers that stop a job tell each of its processes.
        """
        stopped = self._owner.stopped
        if stopped is None or stopped.patience_s < TO_SAVE_S or self.broker_told or self._once_more:
            return False
        self._once_more = any(child.role == "worker" for child in self._owner.living())
        return self._once_more

    def _has_figures(self, now: float) -> bool:
        """Tell whether the broker has told its last figures, or had the time to."""
        return now >= self._figures_by or self._owner.host.agent.stats_since(self._asked_at)
