"""``python -m scoop_ft.broker RUN_DIR``: the broker's process.

Opens the run's journal (or makes it), recovers, serves.  What the operator has to mend is one
line on standard error and exit code 2.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import logging
import os
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scoop_journal import Journal

    from ..rundir import RunDir, RunInfo
    from .loop import Loop
    from .records import Edit
    from .sockets import Sockets

INCARNATION = b"incarnation"
# Little here refers to itself; what lives a second (leases, messages) is not to be looked at again
# and again by the collector because there is much of it.
GARBAGE = 50_000
log = logging.getLogger("scoop_ft.broker")


def main(argv: list[str] | None = None) -> int:
    """Serve a run; return the exit code."""
    from ..lifeline import hold

    hold()
    options = _parse(argv)
    from scoop_journal import JournalBroken, JournalDamaged, JournalError

    from ..errors import RunError
    from .memory import keep_freed

    keep_freed()
    try:
        loop, journal = _open(options)
    except (JournalError, RunError) as error:
        print(f"scoop-ft: error: {error}", file=sys.stderr)
        return 2
    try:
        loop.run()
    except JournalBroken as error:
        print(f"scoop-ft: the broker stops: {error}", file=sys.stderr)
        return 1
    except JournalDamaged as error:  # found only now: it was not read before
        print(f"scoop-ft: error: {error}", file=sys.stderr)
        return 2
    except BaseException:
        log.exception("the broker fails")
        raise
    finally:
        journal.close()
    return 0


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scoop_ft.broker")
    parser.add_argument("run_dir")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--keep-failed", action="store_true")
    parser.add_argument("--recorded-code", action="store_true")
    parser.add_argument("--max-attempts", type=int, default=3)
    parser.add_argument("--edits", default="")
    return parser.parse_args(argv)


def _open(options: argparse.Namespace) -> tuple[Loop, Journal]:
    """Open the run's journal, or make it, and recover; return what serves it."""
    from ..rundir import SERVING, RunDir
    from .core import Broker
    from .loop import Loop
    from .server import Server

    run = RunDir(options.run_dir)
    info = run.info()
    logging.basicConfig(
        filename=run.log("broker"), format="%(asctime)s %(levelname)s %(message)s", level=20
    )
    new = not run.has_journal() and not run.journal.exists()
    journal = _journal(run, info, new=new)
    try:
        broker = Broker(
            journal,
            info.run,
            _settings(run, info),
            max_attempts=options.max_attempts,
            incarnation=_next_incarnation(journal),
            on_divergence=info.on_divergence,
            stale_results=info.stale_results,
        )
        broker.recover(
            journal.scan(payloads=False), resume=options.resume and not new, now=time.monotonic(),
            keep_failed=options.keep_failed, edits=_edits(options.edits),
            recorded_code=options.recorded_code,
        )  # fmt: skip
        sockets = _sockets(run, info)
    except BaseException:
        journal.close()
        raise
    loop = Loop(Server(broker, journal, sockets), sockets)
    loop.stop_on_signals()
    gc.set_threshold(GARBAGE)
    log.info("%s %s on %s", SERVING, info.run, ", ".join(sockets.endpoints))
    return loop, journal


def _edits(path: str) -> list[Edit]:
    """Return what the launcher was told about functions that were edited."""
    import msgspec

    from .records import Edit

    if not path:
        return []
    with open(path, "rb") as file:
        return msgspec.json.decode(file.read(), type=list[Edit])


def _journal(run: RunDir, info: RunInfo, *, new: bool) -> Journal:
    from scoop_journal import Journal

    unsafe, synced = info.unsafe_filesystem, info.durability != "none"
    if new:
        return Journal.create(run.journal, info.run, unsafe_filesystem=unsafe, synced=synced)
    return Journal.open(run.journal, unsafe_filesystem=unsafe, synced=synced)


def _next_incarnation(journal: Journal) -> int:
    """Count this broker in the journal; return which of the run's it is."""
    number = int(journal.blob(INCARNATION) or b"0") + 1
    journal.put_blob(INCARNATION, str(number).encode())
    return number


def _settings(run: RunDir, info: RunInfo) -> dict[str, Any]:
    """Return what peers are told: how the script was started."""
    import msgspec

    return {
        "script": info.script,
        "args": info.args,
        "cwd": info.cwd,
        "path": info.path,
        "seed": info.seed,
        "seeded": info.seeded,
        "called": run.called,
        "scoop": None if info.scoop is None else msgspec.to_builtins(info.scoop),
        "import_path": info.import_path,
    }


def _sockets(run: RunDir, info: RunInfo) -> Sockets:
    import zmq

    from ..errors import RunError
    from .sockets import Sockets

    also = [info.listen, info.machines.listen if info.machines else ""]
    endpoints = [run.endpoint(), *filter(None, also)]
    tcp = any(endpoint.startswith("tcp:") for endpoint in endpoints)
    client = run.client_keys() if tcp else None
    try:
        return Sockets(
            endpoints, run.server_keys() if tcp else None, client.public if client else ""
        )
    except (OSError, zmq.ZMQError) as error:  # the latter is none of the former
        where = " and ".join(endpoints)
        raise RunError(f"cannot listen on {where}: {error}; choose another --listen") from error


if __name__ == "__main__":
    code = main()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)  # the end of a run waits for it, and all is on disk
