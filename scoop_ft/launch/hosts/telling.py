"""What is said when an agent on another machine has ended: whose fault, what happened, what to do.

Reads what ssh, the shell and the agent have written; decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..wording import signal_name

SSH_FAILED: Final = 255
_NOT_FOUND: Final = (126, 127)
_OWN: Final = "scoop-ft: error: "
_LONGEST: Final = 300
_LAST_WORDS: Final = ("Timeout, server ", "Connection to ", "Connection reset ", "client_loop: ")

_ADVICE: Final = (  # what ssh says, and what helps
    ("Permission denied", "put your public key there, with 'ssh-copy-id {name}'"),
    ("IDENTIFICATION HAS CHANGED", "its key has changed: ask its administrator, see known_hosts"),
    ("Host key verification failed", "accept its key once, by 'ssh {name}'"),
    ("Could not resolve hostname", "correct the name"),
    ("Connection refused", "start its ssh server"),
    ("timed out", "see whether it is switched on, and its name right"),
    ("No route to host", "see whether it is switched on, and its name right"),
    ("remote port forwarding failed", "have its ssh server allow it (AllowTcpForwarding yes)"),
)


def before_hello(name: str, python: str, code: int, by: int, stderr: Sequence[str]) -> str:
    """Say why there is no agent on a machine.

    Parameters
    ----------
    name : str
        The machine.
    python : str
        Which Python was to run there.
    code, by : int
        How ssh ended: its exit code, or the signal.
    stderr : sequence of str
        What was written by then.
    """
    said = _last(stderr)
    if by:
        return f"ssh {name} was killed by {signal_name(by)}"
    if code == SSH_FAILED:
        text = "\n".join(stderr)
        advice = next((what for sign, what in _ADVICE if sign in text), "")
        told = f"ssh {name}: {_without(name, said) or 'the connection ended'}"
        return told + (f": {advice.format(name=name)}" if advice else "")
    if code in _NOT_FOUND:
        return (
            f"{name}: {python} cannot be run there ({said or f'exit code {code}'}): say which "
            "Python to use with --python-interpreter"
        )
    if "No module named" in said and "scoop_ft" in said:
        return (
            f"{name}: {python} has no scoop-ft there, or another version: install the one that is "
            "here, or say which Python has it with --python-interpreter"
        )
    return f"{name}: no agent could be started there: {said or f'exit code {code}'}"


def after_hello(name: str, code: int, by: int, stderr: Sequence[str], *, was_up: bool) -> str:
    """Say how the agent of a machine has ended."""
    own = [line.removeprefix(_OWN) for line in stderr if line.startswith(_OWN)]
    if own:
        return f"{name}: {own[-1]}"
    if by:
        return f"{name} is lost: its ssh was killed by {signal_name(by)}"
    if code == SSH_FAILED:
        said = _without(name, _last(stderr)) if stderr else ""
        why = f": {said}" if said.startswith(_LAST_WORDS) else ""
        return f"{name} is lost: its agent was killed, or the connection cut{why}"
    how = f"its agent has ended ({code})"
    return f"{name} is lost: {how}" if was_up else f"{name}: {how}: {_last(stderr)}"


def is_of_ssh(text: bytes) -> bool:
    """Tell whether a line is ssh's own, about the end of a connection that it had."""
    return text.decode(errors="replace").startswith(_LAST_WORDS)


def _last(lines: Sequence[str]) -> str:
    """Return the last line that says something."""
    words = [line.strip() for line in lines if line.strip()]
    return words[-1][:_LONGEST].rstrip(".") if words else ""


def _without(name: str, text: str) -> str:
    """Leave out what only repeats who speaks: ``ann@node7: Permission denied …``."""
    text = text.removeprefix("ssh: ")
    head, colon, rest = text.partition(": ")
    return rest if colon and head.rpartition("@")[2] == name.rpartition("@")[2] else text
