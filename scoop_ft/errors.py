"""Every exception of scoop-ft, grouped by who must act: the user, the operator, a peer, or us.

A message is one line: what happened, and what to do.  Nothing here does anything; the module
imports next to nothing, for it is loaded by every process.
"""

from __future__ import annotations

import signal as _signal
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import CancelledError, TimeoutError

__all__ = [
    "BrokenRun",
    "CancelledError",
    "InvalidTransition",
    "MissingMainGuard",
    "ProtocolError",
    "RemoteError",
    "RemoteTraceback",
    "RunError",
    "ScoopError",
    "ScriptImportError",
    "TaskLost",
    "TaskTimeout",
    "TimeoutError",
    "UnpicklableError",
]


def __getattr__(name: str) -> Any:
    """Import the exceptions of the standard library's futures when they are asked for."""
    if name not in ("CancelledError", "TimeoutError"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import concurrent.futures

    globals()[name] = found = getattr(concurrent.futures, name)
    return found


class ScoopError(Exception):
    """Base of all exceptions that scoop-ft raises itself."""


# ---- the user must act: the script asks for something that cannot be ----------------------------


class UnpicklableError(ScoopError, TypeError):
    """A function, an argument or a result cannot travel to another process."""


class MissingMainGuard(ScoopError, RuntimeError):
    """The script submits tasks while a worker imports it."""


class ScriptImportError(ScoopError, ImportError):
    """The script failed when a worker imported it, or lacks there what the root has."""


class TaskLost(ScoopError):
    """A task was given up: each process that ran it died of it.

    Attributes
    ----------
    details : dict
        What the broker knows: task, function, attempts, signal, host, memory, stderr.
    """

    def __init__(self, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.details = dict(details or {})

    @classmethod
    def from_details(cls, details: Mapping[str, Any]) -> TaskLost:
        """Make the error from the broker's map; any key may be missing."""
        if details.get("limit"):
            return TaskTimeout(_overdue(details), details)
        function = details.get("function") or "a task"
        attempts = int(details.get("attempts") or 1)
        times = "once" if attempts == 1 else f"{attempts} times"
        message = f"{function} was started {times} and each time its worker died"
        number = int(details.get("signal") or 0)
        facts = [f"of {_signal_name(number)}"] if number else []
        if details.get("host"):
            facts.append(f"on {details['host']}")
        if details.get("memory"):
            facts.append(f"using {_readable_size(details['memory'])} of memory")
        if details.get("refused"):
            refused = f"{function} has sent what makes no sense ({details['refused']})"
            return cls(_with_the_rest(f"{refused}: please report this", details), details)
        text = " ".join([message, *facts]) + "; its neighbours were not harmed"
        if details.get("once"):
            text = (
                f"{' '.join([_lost_once(details), *facts])}; it is not repeated (repeatable=False)"
            )
        return cls(_with_the_rest(text, details), details)


class TaskTimeout(TaskLost, TimeoutError):
    """A task had not ended when its ``time_limit`` was over; its worker is free again."""


def _overdue(details: Mapping[str, Any]) -> str:
    host = f" on {details['host']}" if details.get("host") else ""
    waited = ", while it waited" if details.get("waited") else ""
    text = (
        f"{details.get('function') or 'a task'} had not ended{host} after its time limit of "
        f"{float(details['limit']):g} s{waited}"
    )
    return _with_the_rest(text, details)


def _lost_once(details: Mapping[str, Any]) -> str:
    function = details.get("function") or "a task"
    if details.get("taken_back"):
        return f"{function} was begun, and could not go on ({details['taken_back']})"
    begun = "was" if details.get("begun", True) else "may have been"
    return f"{function} {begun} begun, and its worker died"


def _with_the_rest(text: str, details: Mapping[str, Any]) -> str:
    """Say which task that was, and its worker's last words."""
    if details.get("task"):
        text += f" (task {_readable_id(details['task'])})"
    last = str(details.get("stderr") or "").strip().splitlines()[-10:]
    return "\n".join([text, *(["last lines of its stderr:"] if last else []),
                      *("  " + line for line in last)])  # fmt: skip


class RemoteError(ScoopError):
    """Stands for an exception that could not travel itself.

    Attributes
    ----------
    type_name : str
        The full name of the original's type.
    """

    def __init__(self, message: str, type_name: str = "") -> None:
        super().__init__(message)
        self.type_name = type_name


class RemoteTraceback(ScoopError):
    """Shows, as the cause of an exception, where it was raised in the worker."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text.rstrip()}\n"""'


# ---- the operator must act: the command line, the machine, the run directory --------------------


class RunError(ScoopError):
    """The run cannot start or go on as asked.

    Attributes
    ----------
    exit_code : int
        What the command line ends with.
    """

    def __init__(self, message: str, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class BrokenRun(ScoopError):
    """The run ended under a script or task that still waited for it; ``scoop-ft resume`` helps."""


# ---- a peer is at fault --------------------------------------------------------------------------


class ProtocolError(ScoopError):
    """A peer sent what no message may be; it is dropped and counted.

    Attributes
    ----------
    session : bytes
        Whose it was, where that is known.
    message : Message or None
        What it was, where that could be read.
    """

    session: bytes = b""
    message: Any = None


def _signal_name(number: int) -> str:
    try:
        return _signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _readable_size(size: Any) -> str:
    if not isinstance(size, (int, float)):
        return str(size)
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"


def _readable_id(task: Any) -> str:
    return task.hex()[-12:] if isinstance(task, bytes) else str(task)


# ---- we are at fault -----------------------------------------------------------------------------


class InvalidTransition(ScoopError):
    """A task was to go from one state to another that does not follow it; nothing was changed."""
