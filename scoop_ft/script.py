"""The user's script as a module: ``__main__`` in the root, and the same names in each worker.

The root runs it as ``__main__``.  A worker imports it, the first time that something of it is
needed, under the name ``__mp_main__``, so that what stands under ``if __name__ == "__main__":``
does not run there.  In both, ``sys.modules`` knows the module under both names.

Which of its names are the same in root and workers follows from its source (`main_guard`).  It
knows nothing of pickling and of the network.
"""

from __future__ import annotations

import builtins
import os
import sys
import threading
import time
import types
from collections.abc import Callable, Sequence
from typing import Any, Final

from scoop_ft import surroundings
from scoop_ft.errors import MissingMainGuard, ScriptImportError
from scoop_ft.main_guard import Bindings

ROOT_NAME: Final = "__main__"
WORKER_NAME: Final = "__mp_main__"
MODULE_NAMES: Final = (ROOT_NAME, WORKER_NAME)

Reader = Callable[[str], bytes]

importing_main: bool = False  # True while a worker imports the script: nothing may be submitted

_script: _Script | None = None


class _Script:
    """The script of this process: its source as first read, and its module once there is one."""

    def __init__(self, path: str, args: Sequence[str], read: Reader | None) -> None:
        self.path = os.path.abspath(path)
        self.args = list(args)
        self.began_ns = time.time_ns()
        self.module: types.ModuleType | None = None
        self.lock = threading.RLock()
        self.failure: MissingMainGuard | ScriptImportError | None = None
        self._read = read or _read
        self._source: bytes | None = None
        self._shared: frozenset[str] | None = None
        self._as_scoop = False
        # The module that was __main__ before: its code may still be running.
        self.displaced = sys.modules.get(ROOT_NAME)

    @property
    def source(self) -> bytes:
        if self._source is None:
            self._source = self._read(self.path)
        return self._source

    @property
    def shared(self) -> frozenset[str]:
        if self._shared is None:
            found = Bindings.of(self.source)
            self._shared = frozenset() if self._is_unguarded(found) else found.shared
        return self._shared

    @property
    def is_unguarded(self) -> bool:
        """A script of SCOOP's without any main guard: no worker imports it, all goes by value."""
        return self._as_scoop and self._is_unguarded(Bindings.of(self.source))

    def _is_unguarded(self, found: Bindings) -> bool:
        return self._as_scoop and not found.has_guard

    def enter(self, *, origin: bool) -> None:
        """Give this process the script's ``sys.argv`` and ``sys.path[0]``, and ``scoop``."""
        sys.argv[:] = [self.path, *self.args]
        if not getattr(sys.flags, "safe_path", False) and sys.path[:1] in ([""], [os.getcwd()]):
            del sys.path[0]  # what ``python -m`` put there: the script would not have it
        sys.path.insert(0, os.path.dirname(self.path))
        told = surroundings.as_scoop()
        if told is not None:
            from scoop_ft.compat import standing_in

            self._as_scoop = True
            standing_in.install(told, origin=origin)

    def fill(self, module: types.ModuleType) -> None:
        """Run the script's code in the module."""
        exec(compile(self.source, self.path, "exec", dont_inherit=True), module.__dict__)


class _Unloaded(types.ModuleType):
    """Stands for the script in a worker until something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        # Tools look for __spec__, __path__ and the like in every module: no reason to import it.
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(load_for_worker(), name)


# ---- in the root ---------------------------------------------------------------------------------


def prepare_root(
    path: str, args: Sequence[str] = (), read: Reader | None = None
) -> types.ModuleType:
    """Make the script's module, not yet run, and put it where ``__main__`` is looked for."""
    global _script
    _script = script = _Script(path, args, read)
    module = script.module = _new_module(ROOT_NAME, script.path)
    script.enter(origin=True)
    _install(module)
    return module


def run_root(path: str, args: Sequence[str] = (), read: Reader | None = None) -> None:
    """Run the script as ``__main__``, as ``python script.py`` would.

    Parameters
    ----------
    path, args
        What ``sys.argv`` shall say.
    read : callable, optional
        Gives the script's source for its path; by default it is read from the file.
    """
    module = prepare_root(path, args, read)
    assert _script is not None
    _script.fill(module)


def adopt_root(path: str, args: Sequence[str], began_ns: int) -> None:
    """The script runs already, as ``__main__`` of this process: know it, and change nothing else.

    Parameters
    ----------
    path, args
        How it was started.
    began_ns : int
        When this process began: files that were changed since may not be what it has loaded.
    """
    global _script
    _script = script = _Script(path, args, None)
    script.began_ns = began_ns
    module = script.module = sys.modules[ROOT_NAME]
    sys.modules[WORKER_NAME] = module


def release_root() -> None:
    """Know no script any more: what is in ``__main__`` goes by value again."""
    global _script
    _script = None
    sys.modules.pop(WORKER_NAME, None)


def find_modules_in(places: Sequence[str]) -> None:
    """Look for modules where the root does, before all other places."""
    sys.path[:] = [*places, *(place for place in sys.path if place not in places)]


# ---- in a worker ---------------------------------------------------------------------------------


def prepare_worker(path: str, args: Sequence[str] = (), read: Reader | None = None) -> None:
    """Let the script be imported the first time that something of it is needed."""
    global _script
    _script = script = _Script(path, args, read)
    script.enter(origin=False)
    unloaded = _Unloaded(ROOT_NAME)
    unloaded.__file__ = script.path
    _install(unloaded)


def load_for_worker(path: str | None = None) -> types.ModuleType:
    """Import the script, once, and return its module.

    Raises
    ------
    MissingMainGuard
        It uses futures outside of its main guard.
    ScriptImportError
        It failed in another way; the message holds the traceback.
    """
    if _script is None:
        if path is None:
            raise ScriptImportError("there is no script in this process")
        prepare_worker(path)
    script = _script
    assert script is not None
    with script.lock:  # re-entered by a script that unpickles its own things at its top level
        if script.module is None:
            if script.failure is not None:
                raise type(script.failure)(*script.failure.args)
            _import(script)
        assert script.module is not None
        return script.module


def load_if_pending() -> bool:
    """Import a worker's script if it was not yet; return whether that was so."""
    if _script is None or _script.module is not None or _script.is_unguarded:
        return False
    load_for_worker()
    return True


def refuse_while_importing(
    does: str = "uses futures outside of 'if __name__ == \"__main__\":'",
    instead: str = "put the calls under that line, since each worker imports the script",
) -> None:
    """Raise `MissingMainGuard` if a worker is just importing the script."""
    if importing_main and _script is not None:
        raise MissingMainGuard(f"{os.path.basename(_script.path)} {does} — {instead}")


def _import(script: _Script) -> None:
    global importing_main
    before = {name: sys.modules.get(name) for name in MODULE_NAMES}
    module = script.module = _new_module(WORKER_NAME, script.path)
    _install(module)
    importing_main = True
    done = False
    handled = sys.exc_info()[1]
    try:
        script.fill(module)
        done = True
    except (Exception, SystemExit) as error:  # noqa: BLE001 - user code may raise anything
        _take_apart(error, handled)
        # Imported again it would fail again, after having done again whatever it does.
        script.failure = failure = _import_failure(script, error)
        raise failure from None
    finally:
        importing_main = False
        if not done:
            script.module = None
            for name, old in before.items():
                if old is not None:
                    sys.modules[name] = old


def _take_apart(error: BaseException, handled: BaseException | None) -> None:
    """What was being handled as the import began, a pickle that needed it, is not told with it."""
    inner: BaseException | None = error
    while inner is not None:
        if inner.__context__ is handled:
            inner.__context__ = None
        inner = inner.__context__


def _import_failure(script: _Script, error: BaseException) -> MissingMainGuard | ScriptImportError:
    """Tell what went wrong, without our own frames."""
    if isinstance(error, MissingMainGuard):
        return MissingMainGuard(*error.args)
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != script.path:
        trace = trace.tb_next
    import traceback

    text = "".join(traceback.format_exception(type(error), error, trace)).rstrip()
    name = os.path.basename(script.path)
    return ScriptImportError(f"{name} failed when a worker imported it:\n{text}")


# ---- in both -------------------------------------------------------------------------------------


def module() -> types.ModuleType | None:
    """Return the script's module; None when there is no script or it was not needed yet."""
    return _script.module if _script is not None else None


def path() -> str | None:
    """Return the absolute path of this process's script, None where there is none."""
    return _script.path if _script is not None else None


def full_name(definition: type) -> str:
    """Return the name of a class for people, who know the script's module by the script's file."""
    module, name = definition.__module__, definition.__qualname__
    if module == "builtins":
        return name
    return f"{module_for_people(module)}.{name}"


def module_for_people(module: str) -> str:
    """Return a module's name; the script's is that of its file."""
    if module in MODULE_NAMES and _script is not None:
        return os.path.splitext(os.path.basename(_script.path))[0] or module
    return module


def began_ns() -> int:
    """Return when this process was told of its script, on the clock of files' times; 0: never."""
    return _script.began_ns if _script is not None else 0


def source() -> bytes | None:
    """Return the script's source as this process has first read it, None where there is none."""
    return _script.source if _script is not None else None


def shared_names() -> frozenset[str]:
    """Return the script's top-level names that mean the same in the root and in every worker."""
    return _script.shared if _script is not None else frozenset()


def from_script(name: str) -> Any:
    """Return what the script binds to a dotted name; pickles by reference call this."""
    value: Any = load_for_worker()
    try:
        for part in name.split("."):
            value = getattr(value, part)
    except AttributeError:
        raise ScriptImportError(
            f"{path()} has no {name!r} in this process: was the script edited during the run?"
        ) from None
    return value


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _new_module(name: str, path: str) -> types.ModuleType:
    made = types.ModuleType(name)
    made.__file__ = path
    made.__dict__["__builtins__"] = builtins
    made.__dict__["__cached__"] = None
    return made


def _install(made: types.ModuleType) -> None:
    for name in MODULE_NAMES:
        sys.modules[name] = made
