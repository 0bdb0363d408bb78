"""Which version of the user's code this process runs: the one that is recorded, else its file.

What runs first in a launch of the run is recorded and counts for all its processes, whatever
happens to the files.  A file that is as recorded is run from the disk; one that is not, or that is
missing, is asked of the broker.  The root also has recorded what only functions import, which a
worker without the files may be first at.  Joins `imports` to the session and the link.

The broker is asked while a module is imported, so this waits at the socket and lets no other task
run meanwhile: in the same thread, that would see the module half made.
"""

from __future__ import annotations

import linecache
import os
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from ..code.ahead import imported, may_import_later
from ..code.own import own_file
from ..ids import digest
from ..wire import messages as wire
from ..wire.codec import MAX_SOURCE
from ..wire.frames import Buffer
from ..wire.messages import SourceRef
from .link import Link
from .scopes import forget_meanings
from .session import Session

SCRIPT = "__main__"
Stamp = tuple[int, int]  # when a file was changed, and its size


class Sources:
    """The user's code as this process has it.

    Parameters
    ----------
    session : Session
    link : Link
    may_change : bool
        A module that is loaded here once more may be another than before: so it is in the root.
    anew : bool
        This process brings its files to a run that others may have brought theirs to.

    Attributes
    ----------
    on_stale : callable
        Called when this process has loaded a version that is not the run's any more.
    """

    def __init__(
        self, session: Session, link: Link, *, may_change: bool, anew: bool = False
    ) -> None:
        self.on_stale: Callable[[], None] = lambda: None
        self._session = session
        self._link = link
        self._may_change = may_change
        self._anew = anew
        self._loaded: dict[str, bytes] = {}  # digests
        self._unread: list[tuple[str, bytes, bool]] = []  # name, file, is it a package's?
        self._looking = threading.RLock()
        self._looked_for: set[str] = set()
        self.named: set[str] = set()  # what functions import that is not the user's own
        self._ahead: dict[str, tuple[str, Stamp]] = {}  # modules nobody has loaded here, and files
        self._process = os.getpid()
        session.on_sources = self._on_sources
        if may_change:
            session.on_function = self._look_ahead

    # ---- for the finder ------------------------------------------------------------------------

    def recorded(self, name: str) -> SourceRef | None:
        """Return what is recorded of a module."""
        return self._session.sources.get(name)

    def choose(self, name: str, kind: str, path: str, found: bytes | None) -> bytes:
        """Return the bytes to run, given those of the file (None: there is none).

        Raises
        ------
        FileNotFoundError
            There is neither a file nor a record.
        """
        recorded = self.recorded(name)
        if found is not None:
            name_of_it = digest(found)
            again = self._may_change and name in self._loaded
            if again:
                forget_meanings()
            if recorded is None or again or recorded.digest == name_of_it:
                self._loaded[name] = name_of_it
                self.imports_in(name, found, package=kind == "package")
                if recorded is None or recorded.digest != name_of_it:
                    self._say(SourceRef(name, kind, path, name_of_it), found)
                return found
        elif recorded is None:
            raise FileNotFoundError(f"no such file: {path}")
        data = self._fetch(name)
        self._loaded[name] = digest(data)
        _show_in_tracebacks(path, data)
        return data

    def look(self, name: str, found: bytes | None) -> bytes | None:
        """Return the bytes that would be run, without running them."""
        recorded = self.recorded(name)
        if recorded is None or (found is not None and digest(found) == recorded.digest):
            return found
        return self._fetch(name)

    def namespace(self, name: str, path: str) -> None:
        """Take note of a package that has no code of its own."""
        if self.recorded(name) is None:
            self._say(SourceRef(name, "namespace", path, digest(b"")), b"")

    # ---- for root and worker -------------------------------------------------------------------

    def script(self, path: str) -> bytes:
        """Return the bytes of the script to run; raises OSError where there are none."""
        try:
            with open(path, "rb") as file:
                found: bytes | None = file.read()
        except OSError:
            if self.recorded(SCRIPT) is None:
                raise
            found = None
        return self.choose(SCRIPT, "script", path, found)

    def catch_up(self) -> bool:
        """Hear what is recorded before anything is imported; False when the script is not."""
        found, _ = self._ask(SCRIPT)
        return bool(found)

    def say(self, ref: SourceRef, data: bytes) -> None:
        """Have something recorded."""
        with self._link.state:
            path = ref.path.encode(errors="replace").decode()  # it may be no text
            message = wire.Source(self._session.number(), ref.name, ref.kind, path, ref.digest)
            self._session.keep(message, (data,))

    # ---- what functions import -----------------------------------------------------------------

    def imports_in(self, name: str, data: bytes, *, package: bool) -> None:
        """A module was loaded: what its functions import is looked for when one is submitted."""
        if self._may_change and may_import_later(data):
            self._unread.append((name, data, package))

    def _look_ahead(self) -> None:
        """Have recorded what only functions import.

        The script may have written such a module only now, for the function that is submitted.
        """
        with self._looking:
            for name, (path, stamp) in list(self._ahead.items()):
                if name not in self._loaded and stamp != _stamp(path):
                    self._say_unloaded(name)
            while self._unread:
                name, data, package = file = self._unread[-1]
                for module in imported(data, name, package=package):
                    if module not in self._looked_for:
                        self._look_for(module)
                self._unread.remove(file)  # only now: this may be interrupted

    def _look_for(self, module: str) -> None:
        if self._anew or self.recorded(module) is None:
            self._say_unloaded(module)
        self._looked_for.add(module)

    def _say_unloaded(self, name: str) -> None:
        path = own_file(name)
        if path is None and "." not in name:
            self.named.add(name)
        stamp = _stamp(path)
        if path is None or stamp is None:
            return
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError:
            return  # whoever imports it will say what is wrong
        self._ahead[name] = path, stamp
        package = os.path.basename(path) == "__init__.py"
        self._unread.append((name, data, package))
        recorded, name_of_it = self.recorded(name), digest(data)
        if recorded is None or recorded.digest != name_of_it:
            self._say(SourceRef(name, "package" if package else "module", path, name_of_it), data)

    # ---- inside --------------------------------------------------------------------------------

    def _say(self, ref: SourceRef, data: bytes) -> None:
        """Record what this process runs, before anything that needs it is submitted."""
        if os.getpid() != self._process:
            return  # a child that user code has forked
        if len(data) > MAX_SOURCE:
            print(
                f"scoop-ft: warning: {ref.path} has more than {MAX_SOURCE / 1e6:.0f} MB: it is not "
                "recorded, and workers on other machines need a copy",
                file=sys.stderr,
            )
            return
        self._session.sources[ref.name] = ref
        self.say(ref, data)

    def _fetch(self, name: str) -> bytes:
        if os.getpid() != self._process:
            raise ImportError(
                f"{name} is not on this machine as the run has it, and a process that a task has "
                "forked cannot ask for it: import it before forking"
            )
        _, frames = self._ask(name)
        if not frames:
            raise ImportError(f"the run has no code of {name}: was it resumed meanwhile?")
        return bytes(frames[0])

    def _ask(self, name: str) -> tuple[list[SourceRef], Sequence[Buffer]]:
        """Ask the broker; while there is none, this waits for one."""
        session, link = self._session, self._link
        with link.state:
            request = session.ask(lambda number: wire.AskSource(number, name))
        found: list[Any] = []

        def came() -> bool:
            if not found:
                answer = session.answer(request)
                if answer is not None:
                    found.append(answer)
            return bool(found)

        link.wait(came)
        answer: tuple[list[SourceRef], Sequence[Buffer]] = found[0]
        return answer

    def _on_sources(self, sources: list[SourceRef]) -> None:
        """The broker says what is recorded (``link.state`` held)."""
        for ref in sources:
            if self._loaded.get(ref.name, ref.digest) != ref.digest:
                self.on_stale()


def _stamp(path: str | None) -> Stamp | None:
    """Return when a file was changed, and its size; None where there is none."""
    try:
        status = os.stat(path) if path is not None else None
    except OSError:
        return None
    return None if status is None else (status.st_mtime_ns, status.st_size)


def _show_in_tracebacks(path: str, data: bytes) -> None:
    """Let tracebacks show the lines that are run, not those of a file that is there now."""
    lines = data.decode("utf-8", "replace").splitlines(keepends=True)
    linecache.cache[path] = (len(data), None, lines, path)
