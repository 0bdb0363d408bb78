"""``python -m scoop_ft.launch.keeper RUN_DIR [--again]``: keeps an executor's broker and workers.

The launcher of a run whose root is the program that has made the `Executor`.  It is a process of
its own, and runs no user code, so that it can answer for its workers whatever the program does.  It
ends when the program says that the run is over, or with the program, by its lifeline.
"""

from __future__ import annotations

import sys

from .agent import Finished
from .supervisor import Supervisor
from .upkeep import GiveUp
from ..rundir import RunDir

AGAIN = "--again"  # the run was there before: what failed is tried again


class Keeper(Supervisor):
    """A supervisor that has no root to start: it is there."""

    def __init__(self, run: RunDir, *, again: bool) -> None:
        super().__init__(
            run, run.info(), done_before=0 if again else None, quiet=True, verbose=False
        )
        self.screen._quiet = False  # who died and was started again; but no progress

    def _start_root(self) -> None:
        return

    def _finished(self, told: Finished) -> None:
        """The broker wants no workers any more."""
        if told.refused:
            self._give_up(GiveUp(f"the broker refused: {told.reason}", 1))
        elif self._ending is None:
            self._end(0)


def main(argv: list[str] | None = None) -> int:
    """Keep a run until its program has ended it; return the exit code."""
    from ..lifeline import hold

    hold()
    args = sys.argv[1:] if argv is None else argv
    directory = RunDir(args[0])
    keeper = Keeper(directory, again=AGAIN in args)
    try:
        keeper.main()
    finally:
        directory.clear_live()
        keeper.screen.close(1.0)
    if keeper.gave_up is not None:
        print(f"scoop-ft: error: {keeper.gave_up.text}", file=sys.stderr)
        return keeper.gave_up.exit_code or 1
    return keeper.exit_code


if __name__ == "__main__":
    sys.exit(main())
