"""The trace of a world: one line for each thing that happens, without what it carries."""

from __future__ import annotations

from typing import Any

from .clock import Clock

_UNTRACED = {"pid", "ends", "stats", "settings", "lineage", "functions", "digest", "elapsed_ns"}


class Trace:
    """Lines, where they are wanted.

    Parameters
    ----------
    clock : Clock
    wanted : bool

    Attributes
    ----------
    names : dict
        What sessions are called.
    """

    def __init__(self, clock: Clock, *, wanted: bool) -> None:
        self.wanted = wanted
        self.lines: list[str] = []
        self.names: dict[bytes, str] = {b"broker": "broker"}
        self._clock = clock

    def name_of(self, session: bytes) -> str:
        """Return what a session is called."""
        found = self.names.get(session)
        return found if found is not None else f"s{int.from_bytes(session, 'big')}"

    def __call__(self, who: str, does: str, what: str = "") -> None:
        """Write down that somebody does something."""
        if self.wanted:
            self.lines.append(f"{self._clock.now:11.6f} {who:12} {does} {what}".rstrip())

    def message(self, source: bytes, target: str, message: Any, connection: Any) -> None:
        """Write down a message, without what it carries."""
        if not self.wanted:
            return
        fields = {
            name: _short(getattr(message, name))
            for name in message.__struct_fields__
            if name not in _UNTRACED
        }
        text = " ".join(f"{name}={value}" for name, value in fields.items())
        does = f"-> {target} [{connection}]"
        self(self.name_of(source), does, f"{type(message).__name__} {text}")


def _short(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()[-8:] or "-"
    if isinstance(value, (list, tuple)):
        return [_short(each) for each in value]
    if isinstance(value, str):
        return value
    return repr(value) if hasattr(value, "__struct_fields__") else value
