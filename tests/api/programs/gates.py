"""Tasks that wait until they are let go, without keeping their worker: through constants."""

from __future__ import annotations

import os
import time

from scoop_ft import shared

_made = 0


def new_gate() -> str:
    """Return a name nobody else uses."""
    global _made
    _made += 1
    return f"gate_{os.getpid()}_{_made}"


def pass_through(gate: str, value: object = None) -> object:
    """Say that it has begun, wait for the gate, and return the value."""
    shared.set_const(**{f"{gate}_begun": True})
    shared.get_const(gate, timeout=30)
    return value


def fail_behind(gate: str) -> None:
    """Wait for the gate, and fail."""
    shared.get_const(gate, timeout=30)
    raise ArithmeticError(gate)


def begun(gate: str) -> None:
    """Wait until somebody stands at the gate."""
    shared.get_const(f"{gate}_begun", timeout=30)


def open_gate(gate: str) -> None:
    """Let pass who waits."""
    shared.set_const(**{gate: True})


def keep_worker(here: str, until: str) -> None:
    """Keep the whole worker busy until a file is there."""
    open(here, "w").close()
    while not os.path.exists(until):
        time.sleep(0.005)


def note(path: str, text: str) -> str:
    """Append a line to a file."""
    with open(path, "a") as file:
        file.write(text + "\n")
    return text
