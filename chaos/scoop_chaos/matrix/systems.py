"""The systems of the matrix: how each is started, found, and started again, as its users would.

Only descriptions.  Each gets two workers and its documented means against failures, which the notes
name; the notes go under the table.  A system that is not installed is left out by name.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = Path(__file__).parent / "programs"


@dataclass
class Place:
    """Where one case runs: its folder, its interpreter, and a port that was free."""

    folder: Path
    python: str
    port: int = 0

    def renew(self) -> None:
        """Take another port, for services that are started again."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]


@dataclass(frozen=True)
class Service:
    """Something to be started before the program: words for the interpreter, and its sign of life.

    Attributes
    ----------
    words : tuple of str
        The command.
    ready : Path, optional
        A file that tells that it is ready; without one it is ready when the command has ended.
    stale : Path, optional
        Another file that a dead one has left, to be removed as its user would.
    """

    words: tuple[str, ...]
    ready: Path | None = None
    stale: Path | None = None


@dataclass(frozen=True)
class System:
    """One system.

    Attributes
    ----------
    name, title, package : str
        For ``--only``; for people; on PyPI.
    program : Path
        What runs on it; gets tasks, seconds, ledger, and `more`.
    note : str
        How it was set up, and who is killed as its broker.
    front : callable
        Words between the interpreter and the program.
    again : callable, optional
        All words of the command after everything has died; default: services and program again.
    more : callable
        Further arguments of the program.
    services : callable
        What outlives the program.
    broker : str
        Words in the command line of what stands between root and workers; empty: there is none.
    restarts_root : bool
        Whether it starts the program again by itself.
    """

    name: str
    title: str
    package: str
    program: Path
    note: str
    front: Callable[[Place], list[str]] = lambda _: []
    again: Callable[[Place], list[str]] | None = None
    more: Callable[[Place], list[str]] = lambda _: []
    services: Callable[[Place], list[Service]] = lambda _: []
    broker: str = ""
    restarts_root: bool = False
    ours: bool = field(default=False)

    def interpreter(self, peers: str) -> str:
        """Return the Python that it runs on: ours on this one."""
        return sys.executable if self.ours else peers


def _run_dir(place: Place) -> str:
    return str(place.folder / "run")


def _dask(place: Place) -> list[Service]:
    told = place.folder / "scheduler.json"
    scheduler = ("-m", "dask", "scheduler", "--scheduler-file", str(told), "--no-dashboard")
    workers = ("-m", "dask", "worker", "--scheduler-file", str(told), "--no-dashboard")
    scratch = str(place.folder / "scratch")
    return [
        Service((*scheduler, "--host", "127.0.0.1", "--port", "0"), told),
        Service(
            (*workers, "--nworkers", "2", "--nthreads", "1", "--local-directory", scratch), told
        ),
    ]


def _ray(place: Place) -> list[Service]:
    words = f"-m ray.scripts.scripts start --head --num-cpus=2 --port={place.port}"
    more = "--node-ip-address=127.0.0.1 --include-dashboard=false --disable-usage-stats"
    storage = f"--object-store-memory=100000000 --temp-dir={place.folder / 'ray'}"
    return [Service(tuple(f"{words} {more} {storage}".split()))]


def _ipyparallel_file(place: Place) -> Path:
    return place.folder / "profile" / "security" / "ipcontroller-client.json"


def _ipyparallel(place: Place) -> list[Service]:
    told = _ipyparallel_file(place)
    words = ("-m", "ipyparallel.cluster", "start", "-n", "2")
    profile = f"--profile-dir={place.folder / 'profile'}"
    return [Service((*words, profile), told, told.with_name("cluster-.json"))]


SYSTEMS = (
    System(
        "scoop-ft",
        "scoop-ft",
        "scoop-ft",
        PROGRAMS / "with_scoop_ft.py",
        "journal synced to disk; the launcher restarts worker, broker and root; after the death of "
        "everything `scoop-ft resume`",
        front=lambda place: [
            "-m",
            "scoop_ft",
            "run",
            "-q",
            "-n",
            "2",
            "--run-dir",
            _run_dir(place),
        ],
        again=lambda place: ["-m", "scoop_ft", "resume", "-q", _run_dir(place)],
        broker="scoop_ft.broker",
        restarts_root=True,
        ours=True,
    ),
    System(
        "scoop",
        "SCOOP",
        "scoop",
        PROGRAMS / "with_scoop.py",
        "`python -m scoop -n 2`: the root is one of the two workers; it has no settings for "
        "retries; broker: the launcher, which runs it as a thread",
        front=lambda _: ["-m", "scoop", "-n", "2", "--quiet"],
        broker="-m scoop -n",
    ),
    System(
        "dask",
        "dask.distributed",
        "distributed",
        PROGRAMS / "with_dask.py",
        "`dask scheduler` and `dask worker --nworkers 2 --nthreads 1` with nannies, which outlive "
        "the program; defaults (allowed-failures 3, worker-ttl 5 minutes); broker: the scheduler",
        more=lambda place: [str(place.folder / "scheduler.json")],
        services=_dask,
        broker="dask scheduler",
    ),
    System(
        "ray",
        "ray",
        "ray",
        PROGRAMS / "with_ray.py",
        "`ray start --head`, which outlives the program; defaults (max_retries 3); broker: the "
        "head's gcs_server, while the host's raylet lives on",
        more=lambda place: [f"127.0.0.1:{place.port}"],
        services=_ray,
        broker="gcs_server",
    ),
    System(
        "loky",
        "loky",
        "loky",
        PROGRAMS / "with_loky.py",
        "`get_reusable_executor`; it has no settings for retries, and no process between root "
        "and workers",
    ),
    System(
        "parsl",
        "Parsl",
        "parsl",
        PROGRAMS / "with_parsl.py",
        "HighThroughputExecutor, `retries=2`, no checkpoints; broker: the interchange",
        more=lambda place: [str(place.folder)],
        broker="HTEX interchange",
    ),
    System(
        "parsl-checkpoints",
        "Parsl with checkpoints",
        "parsl",
        PROGRAMS / "with_parsl.py",
        "the same with `checkpoint_mode='task_exit'` and `cache=True`: results are found by "
        "function and argument",
        more=lambda place: [str(place.folder), "checkpoints"],
        broker="HTEX interchange",
    ),
    System(
        "ipyparallel",
        "ipyparallel",
        "ipyparallel",
        PROGRAMS / "with_ipyparallel.py",
        "`ipcluster start -n 2`, which outlives the program; load-balanced view with "
        "`retries = 2`; broker: the controller, that is hub and schedulers; before it is started "
        "again, the file `cluster-.json` of the dead one has to be removed by hand",
        more=lambda place: [str(_ipyparallel_file(place))],
        services=_ipyparallel,
        broker="ipyparallel.controller",
    ),
)


def versions(python: str, packages: Collection[str]) -> dict[str, str]:
    """Return the versions of those packages that an interpreter has."""
    code = (
        "import importlib.metadata as m, json, sys\n"
        "have = {d.metadata['Name'].lower(): d.version for d in m.distributions()}\n"
        "print(json.dumps({n: have[n] for n in sys.argv[1:] if n in have}))"
    )
    done = subprocess.run(
        [python, "-c", code, *packages], capture_output=True, text=True, check=True, timeout=60
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found
