"""The run directory: where each file of a run is, and how the small ones are read and written.

Every process of a run imports this, so it stays light: no click, rich or psutil, zmq only when
keys are made, and of the standard library what each of them needs.  It does not look into the
journal and starts nothing.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from .errors import RunError
from .machines import Machines
from .surroundings import AsScoop, Surroundings

FORMAT: Final = 1
PARENT: Final = ".scoop-ft"
DEFAULT_MAX_ATTEMPTS: Final = 3  # workers that may die of a task
_AS_BYTES: Final[int] = getattr(os, "O_BINARY", 0)  # Windows knows text files, too
SERVING: Final = "serving run"  # with this a broker's log says that there is a journal
AGENT_LOCK: Final = "agent.lock"  # in the folder of an agent that has none of the run
TEMPORARY: Final = "temporary"  # in one that goes with the program that has made it
SOCKETS: Final = "scoop-ft-socket-"  # temporary folders, with nothing in them but a socket
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT)
LONGEST_SOCKET_PATH: Final = 100  # sun_path holds 104 to 108 bytes, depending on the system


class RunInfo(msgspec.Struct, kw_only=True):
    """What ``run.json`` records: all that is needed to start the same run again."""

    format: int = FORMAT
    run: str
    script: str
    args: list[str]
    cwd: str
    seed: int
    workers: int
    python: str
    created: float
    max_attempts: int
    path: str
    listen: str = ""
    unsafe_filesystem: bool = False
    seeded: bool = False  # the seed was given: global generators are seeded for each task
    journal_limit: int = 20_000_000_000  # bytes that are worth a warning; 0: none are
    recorded_code: bool = False
    durability: str = "synced"  # or "none": then a crash of the machine loses the run
    on_divergence: str = "recompute"  # or "error"
    stale_results: str = ""  # what was said of them at the last resume: "redo" or "keep"
    surroundings: Surroundings = Surroundings()
    scoop: AsScoop | None = None  # the script means us by ``scoop``
    machines: Machines | None = None  # other ones that work for it
    max_tasks_per_worker: int = 0  # then another process takes its place; 0: never
    max_memory_per_worker: int = 0  # bytes
    resources: dict[str, int] = {}  # of each worker of the launcher
    import_path: list[str] = []  # where the root finds modules, if that is not the script's matter


class LiveProcess(msgspec.Struct, kw_only=True):
    """A process of the run; ``created`` (see `processes.Meter`) tells it from a later one."""

    pid: int
    created: float
    restarts: int = 0
    id: str = ""  # a worker's session, in hexadecimal


class Live(msgspec.Struct, kw_only=True):
    """What ``live.json`` says: the processes that the launcher watches now."""

    host: str
    launcher: LiveProcess
    root: LiveProcess | None = None
    broker: LiveProcess | None = None
    workers: list[LiveProcess] = []

    @property
    def by_hand(self) -> bool:
        """Whether it is a broker without a launcher, which then stands in its place."""
        return self.broker is not None and self.broker.pid == self.launcher.pid


class Keys(msgspec.Struct, kw_only=True):
    """One CURVE key pair, and for a client the server's public key."""

    public: str
    secret: str
    server: str = ""


_Record = TypeVar("_Record")


class RunDir:
    """The folder of one run, and the paths in it."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(os.path.abspath(path))
        self.run_json = self.path / "run.json"
        self.live_json = self.path / "live.json"
        self.lock = self.path / "launcher.lock"
        self.journal = self.path / "journal"
        self.keys = self.path / "keys"
        self.logs = self.path / "logs"
        self.slates = self.path / "slates"
        self.endpoint_file = self.path / "endpoint"
        self.edits_json = self.path / "edits.json"  # functions edited before the last resume

    def __repr__(self) -> str:
        return f"RunDir({str(self.path)!r})"

    @property
    def called(self) -> str:
        """What to call the run by in a command: its name if that is found, else its folder."""
        if self.path.parent == Path(os.path.abspath(PARENT)):
            return self.path.name
        relative = os.path.relpath(self.path)
        return relative if not relative.startswith("..") else str(self.path)

    @property
    def goes_by_itself(self) -> bool:
        """Whether it is a temporary folder, which goes with the process that has made it."""
        marks = (AGENT_LOCK, f".{AGENT_LOCK}", TEMPORARY)
        return any((self.path / mark).exists() for mark in marks)

    # ---- making and reading ---------------------------------------------------------------------

    def create(self, info: RunInfo) -> None:
        """Make the folder with its ``run.json``; refuse one that holds something already."""
        self._refuse_used()
        try:
            msgspec.json.encode(info)
        except UnicodeEncodeError:
            raise RunError(
                f"a path is no text in UTF-8, and cannot be recorded ({info.cwd!a}, script "
                f"{info.script!a}): rename it"
            ) from None
        made = [each for each in (self.path, self.logs, self.slates) if not each.exists()]
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.chmod(0o700)
            for folder in (self.logs, self.slates):
                folder.mkdir(mode=0o700, exist_ok=True)
            self._write_info(info)
        except OSError as error:
            for folder in reversed(made):  # or the next try would be told that it is not empty
                with contextlib.suppress(OSError):
                    folder.rmdir()
            raise RunError(f"cannot make the run directory {self.path}: {_why(error)}") from error

    def _refuse_used(self) -> None:
        if self.run_json.exists():
            raise RunError(
                f"{self.path} holds a run already: go on with it by "
                f"'scoop-ft resume {self.called}', or choose another --run-dir"
            )
        try:
            used = any(self.path.iterdir())
        except FileNotFoundError:
            used = False
        except OSError as error:
            raise RunError(f"cannot use {self.path} as run directory: {_why(error)}") from error
        if used:
            raise RunError(f"{self.path} is not empty: choose another --run-dir")

    def save_info(self, info: RunInfo) -> None:
        """Write ``run.json``."""
        try:
            self._write_info(info)
        except OSError as error:
            raise RunError(f"cannot write {self.run_json}: {_why(error)}") from error

    def _write_info(self, info: RunInfo) -> None:
        write_atomically(self.run_json, msgspec.json.format(msgspec.json.encode(info)), sync=True)

    def info(self) -> RunInfo:
        """Read ``run.json``."""
        try:
            data = self.run_json.read_bytes()
        except FileNotFoundError:
            raise RunError(f"{self.path} is not a run directory: it has no run.json") from None
        except OSError as error:
            raise RunError(f"cannot read {self.run_json}: {_why(error)}") from error
        try:
            made_by = msgspec.json.decode(data, type=_Versioned).format
        except msgspec.MsgspecError as error:
            raise RunError(f"{self.run_json} is damaged: {error}") from error
        if made_by != FORMAT:
            raise RunError(
                f"{self.path} was made by another version of scoop-ft (format {made_by}, "
                f"this one knows {FORMAT}): use that version"
            )
        return _decode(self.run_json, data, RunInfo)

    def gone(self) -> str:
        """Say that the folder was removed or moved while it was in use; empty when it was not."""
        try:
            if self.run_json.exists():
                return ""
        except OSError:  # of a server of files that does not answer just now: nobody knows
            return ""
        return (
            f"the run directory {self.path} is gone, and what was recorded with it: put it back "
            "if it was moved, and resume it; else run the script again"
        )

    def created(self) -> float:
        """Return when the run was made, in seconds since the epoch; 0 where nobody can tell."""
        try:
            return self.info().created
        except RunError:
            return 0.0

    def save_live(self, live: Live) -> None:
        """Write ``live.json``."""
        write_atomically(self.live_json, msgspec.json.encode(live))

    def live(self) -> Live | None:
        """Read ``live.json``; None when no launcher has left one."""
        try:
            return _decode(self.live_json, self.live_json.read_bytes(), Live)
        except (FileNotFoundError, RunError):
            return None

    def clear_live(self) -> None:
        """Remove ``live.json``: nothing lives any more."""
        self.live_json.unlink(missing_ok=True)

    def slate(self, session: bytes) -> Path:
        """Return the path of a worker's slate."""
        return self.slates / session.hex()

    def log(self, name: str) -> Path:
        """Return the path of a process's log."""
        return self.logs / f"{name}.log"

    def has_journal(self) -> bool:
        """Tell whether there is a journal yet; a run that has lost it is refused.

        Or all would be computed anew without a word.  That there was one is known from the log.
        """
        data = self.journal / "data.mdb"
        if data.exists():
            return True
        try:
            log = self.log("broker").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return False
        if SERVING in log:
            raise RunError(
                f"the journal of {self.path} is gone, and all results with it (there is no "
                f"{data}): put it back, or run the script again with another --run-dir"
            )
        return False

    # ---- the broker's address -------------------------------------------------------------------

    def endpoint(self) -> str:
        """Return the address of this run's broker, as it was last chosen."""
        try:
            return self.endpoint_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise RunError(
                f"{self.path} has no broker address ({_why(error)}): start its broker first, "
                "with 'scoop-ft resume' or 'scoop-ft broker'"
            ) from error

    def choose_endpoint(self) -> str:
        """Choose the address that the broker shall have, and write it down.

        A unix socket in the run directory where that is possible; the one in use is kept when it
        still is private to this user.
        """
        endpoint = self._kept_endpoint() or self._new_endpoint()
        try:
            write_atomically(self.endpoint_file, endpoint.encode())
        except OSError as error:
            raise RunError(f"cannot write {self.endpoint_file}: {_why(error)}") from error
        return endpoint

    def _kept_endpoint(self) -> str:
        if not self.endpoint_file.exists():
            return ""
        endpoint = self.endpoint()
        folder = _temporary_folder(endpoint)
        return endpoint if folder is not None and _is_private(folder) else ""

    def _new_endpoint(self) -> str:
        if sys.platform == "win32":  # libzmq's wheels have no ipc there
            self.make_keys()
            return f"tcp://127.0.0.1:{_free_port()}"
        path = self.path / "broker.sock"
        if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
            path = _new_socket_folder() / "broker.sock"
        return f"ipc://{path}"

    def drop_endpoint(self) -> None:
        """Remove the broker's socket, and its folder when that is a temporary one.

        Nothing else, wherever the address says that it lies: a run may be called as such a folder.
        """
        try:
            endpoint = self.endpoint()
        except RunError:
            return
        folder = _temporary_folder(endpoint)
        if folder is not None and folder != self.path and _is_private(folder):
            (folder / "broker.sock").unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # there is something else in it
                folder.rmdir()
        else:
            (self.path / "broker.sock").unlink(missing_ok=True)

    # ---- keys -----------------------------------------------------------------------------------

    def make_keys(self) -> None:
        """Make the run's CURVE keys, unless it has them."""
        if (self.keys / "client.key").exists():
            return
        import zmq

        self.keys.mkdir(mode=0o700, exist_ok=True)
        server_public, server_secret = (key.decode() for key in zmq.curve_keypair())
        public, secret = (key.decode() for key in zmq.curve_keypair())
        for name, keys in (
            ("server.key", Keys(public=server_public, secret=server_secret)),
            ("client.key", Keys(public=public, secret=secret, server=server_public)),
        ):
            write_atomically(self.keys / name, msgspec.json.encode(keys), sync=True)

    def server_keys(self) -> Keys:
        """Return the broker's keys."""
        return read_keys(self.keys / "server.key")

    def client_keys(self) -> Keys | None:
        """Return the keys with which peers speak to the broker; None when the run has none."""
        path = self.keys / "client.key"
        return read_keys(path) if path.exists() else None


class _Versioned(msgspec.Struct):
    format: int


# ---- files --------------------------------------------------------------------------------------


def write_atomically(path: Path, data: bytes, *, sync: bool = False) -> None:
    """Replace a file by a new one (0600), so that readers see the old or the new one whole."""
    temporary = path.parent / f".{path.name}.{os.urandom(8).hex()}"
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | _AS_BYTES, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def read_keys(path: Path) -> Keys:
    """Read a key file; refuse one that others may read."""
    try:
        data = path.read_bytes()
        mode = path.stat().st_mode
    except OSError as error:
        raise RunError(f"cannot read the key {path}: {_why(error)}") from error
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise RunError(f"others may read the key {path}: make it private with 'chmod 600 {path}'")
    return _decode(path, data, Keys)


def _decode(path: Path, data: bytes, kind: type[_Record]) -> _Record:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        raise RunError(f"{path} is damaged: {error}") from error


def _why(error: OSError) -> str:
    why = error.strerror or str(error)
    return f"{why}; make room there" if error.errno in _NO_ROOM else why


def _new_socket_folder() -> Path:
    """Make a private folder whose path is short enough for a socket in it."""
    import tempfile

    folder = tempfile.gettempdir()
    if len(os.fsencode(folder)) > LONGEST_SOCKET_PATH - len(SOCKETS) - len("//broker.sock") - 8:
        folder = "/tmp"
    return Path(tempfile.mkdtemp(prefix=SOCKETS, dir=folder))


def _temporary_folder(endpoint: str) -> Path | None:
    """Return the private temporary folder an address lies in; None when it lies elsewhere."""
    folder = Path(endpoint.removeprefix("ipc://")).parent
    return folder if endpoint.startswith("ipc://") and folder.name.startswith(SOCKETS) else None


def _is_private(folder: Path) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False
    private = stat.S_ISDIR(status.st_mode) and not stat.S_IMODE(status.st_mode) & 0o077
    return private and status.st_uid == os.getuid()


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# ---- naming and finding -------------------------------------------------------------------------


def new_run_id(now: float) -> str:
    """Name a run: its local date and time, and four digits against collisions."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.localtime(now))}-{os.urandom(2).hex()}"


def find_runs(folder: str | os.PathLike[str] = ".") -> list[RunDir]:
    """List the runs of a folder, the oldest first: in ``.scoop-ft``, and right below the folder.

    What is below it may be anybody's: only what reads as a run is one.  What agents and programs
    have in the temporary directory goes with them: nobody's last run is there.
    """
    found = [RunDir(path.parent) for path in Path(folder, PARENT).glob("*/run.json")]
    below = [RunDir(path.parent) for path in Path(folder).glob("*/run.json")]
    found += [run for run in below if run.created() and not run.goes_by_itself]
    return sorted(found, key=lambda run: (run.created(), run.path))


def locate(where: str) -> RunDir:
    """Find the run that somebody names, by its directory or its id."""
    for path in (Path(where), Path(PARENT, where)):
        if (path / "run.json").exists():
            return RunDir(path)
    if not Path(where).exists():
        raise RunError(f"there is no run {where}: 'scoop-ft runs' lists those of this folder")
    raise RunError(f"{where} is not a run directory: it has no run.json")


def named(where: str | None = None) -> RunDir:
    """Find the run that somebody names; the last one of this folder when he names none."""
    if where is not None:
        return locate(where)
    found = find_runs()
    if not found:
        raise RunError("no run found in this folder: give the run directory")
    return found[-1]
