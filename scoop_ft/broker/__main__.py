"""``python -m scoop_ft.broker RUN_DIR``: the broker's process.

Opens the run's journal (or makes it), recovers, serves.  What the operator has to mend is one
line on standard error and exit code 2.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time


def main(argv: list[str] | None = None) -> int:
    """Serve a run; return the exit code."""
    from ..lifeline import hold

    hold()
    options = _parse(argv)
    from scoop_journal import JournalBroken, JournalError

    from ..errors import RunError

    try:
        return _serve(options)
    except JournalBroken as error:
        print(f"scoop-ft: the broker stops: {error}", file=sys.stderr)
        return 1
    except (JournalError, RunError) as error:
        print(f"scoop-ft: error: {error}", file=sys.stderr)
        return 2


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scoop_ft.broker")
    parser.add_argument("run_dir")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--max-attempts", type=int, default=3)
    return parser.parse_args(argv)


def _serve(options: argparse.Namespace) -> int:
    from scoop_journal import Journal

    from ..rundir import RunDir
    from .core import Broker
    from .server import Server
    from .sockets import Sockets

    run = RunDir(options.run_dir)
    info = run.info()
    logging.basicConfig(
        filename=run.log("broker"), format="%(asctime)s %(levelname)s %(message)s", level=20
    )
    unsafe = info.unsafe_filesystem
    new = not run.journal.exists()
    if new:
        journal = Journal.create(run.journal, info.run, unsafe_filesystem=unsafe)
    else:
        journal = Journal.open(run.journal, unsafe_filesystem=unsafe)
    settings = {"script": info.script, "args": info.args, "cwd": info.cwd, "seed": info.seed}
    broker = Broker(journal, info.run, settings, max_attempts=options.max_attempts)
    broker.recover(journal.scan(), resume=options.resume and not new, now=time.monotonic())
    journal.commit()
    endpoints = [run.endpoint(), *([info.listen] if info.listen else [])]
    tcp = any(endpoint.startswith("tcp:") for endpoint in endpoints)
    client = run.client_keys() if tcp else None
    keys = run.server_keys() if tcp else None
    sockets = Sockets(endpoints, keys, client.public if client is not None else "")
    server = Server(broker, journal, sockets)
    server.stop_on_signals()
    logging.info("serving run %s on %s", info.run, ", ".join(sockets.endpoints))
    try:
        server.run()
    finally:
        journal.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
