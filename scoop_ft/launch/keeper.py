"""``python -m scoop_ft.launch.keeper RUN_DIR [--again]``: keeps an executor's broker and workers.

The launcher of a run whose root is the program that has made the `Executor`.  It is a process of
its own, and runs no user code, so that it can answer for its workers whatever the program does.  It
ends when the program says that the run is over, or with the program, by its lifeline.
"""

from __future__ import annotations

import os
import secrets
import sys
import time

from ..rundir import DEFAULT_MAX_ATTEMPTS, RunDir, RunInfo, new_run_id
from . import listening
from .effects import Finished
from .lock import RunLock
from .processes import usable_cores
from .supervisor import Supervisor
from .upkeep import GiveUp

AGAIN = "--again"  # the run was there before: what failed is tried again


class Keeper(Supervisor):
    """A supervisor that has no root to start: it is there."""

    def __init__(self, run: RunDir, *, again: bool, recorded_code: bool = False) -> None:
        super().__init__(
            run, run.info(), done_before=0 if again else None, quiet=True, verbose=False,
            recorded_code=recorded_code,
        )  # fmt: skip
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
    return _keep(Keeper(directory, again=AGAIN in args), directory)


def _keep(keeper: Keeper, directory: RunDir) -> int:
    try:
        keeper.main()
    finally:
        directory.clear_live()
        keeper.screen.close(1.0)
    if keeper.gave_up is not None:
        print(f"scoop-ft: error: {keeper.gave_up.text}", file=sys.stderr)
        return keeper.gave_up.exit_code or 1
    return keeper.exit_code


def serve(run_dir: str, workers: int | None, listen: str | None, durability: str | None) -> int:
    """Keep a run without a program, for those that join it; return the exit code."""
    directory = RunDir(run_dir)
    again = directory.run_json.exists()
    if again:
        info = directory.info()
        info.workers = workers or info.workers
        info.listen = listen if listen is not None else info.listen
        info.durability = durability or info.durability
        listening.check(info.listen, recorded=listen is None)
    else:
        info = _without_script(workers or usable_cores(), listen or "", durability or "synced")
        listening.check(info.listen)
        directory.create(info)
    lock = RunLock(directory)
    lock.acquire()
    try:
        directory.save_info(info)
        if info.listen:
            directory.make_keys()
        directory.choose_endpoint()
        print(f"scoop-ft: join it with Executor(address={str(directory.path)!r})", file=sys.stderr)
        # The code is that of programs that may still wait; who comes anew brings his own.
        return _keep(Keeper(directory, again=again, recorded_code=again), directory)
    finally:
        directory.drop_endpoint()
        lock.release()


def _without_script(workers: int, listen: str, durability: str) -> RunInfo:
    now = time.time()
    return RunInfo(
        run=new_run_id(now), script="", args=[], cwd=os.getcwd(), seed=secrets.randbits(32),
        workers=workers, python=sys.executable, created=now, max_attempts=DEFAULT_MAX_ATTEMPTS,
        path="", listen=listen, durability=durability,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
