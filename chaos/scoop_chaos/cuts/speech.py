"""What the broker said and heard, from the bytes on its sockets.

ZMTP 3 without encryption, as it is spoken on a run's unix socket: a greeting, then frames.  A
message said counts from the moment at which its last byte was given to the kernel: no peer can
have it earlier.  Reads only; promises are the business of `promises`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from scoop_ft.wire.codec import decode_from_broker, decode_from_peer
from scoop_ft.wire.messages import Hello

from .log import Event, Kind

_GREETING_BYTES = 64
_MORE, _LONG, _COMMAND = 1, 2, 4


class Spoken(NamedTuple):
    """One message.

    Attributes
    ----------
    at : int
        The place of its last bytes in the log.
    line : int
        Tells connections apart.
    heard : bool
        The broker received it; else it said it.
    """

    at: int
    line: int
    session: bytes
    heard: bool
    message: Any


class _Stream:
    """One direction of a connection."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._greeted = False
        self._frames: list[bytes] = []

    def feed(self, data: bytes) -> Iterator[list[bytes]]:
        """Take bytes; yield the messages that they complete, as frames."""
        self._bytes += data
        if not self._greeted:
            if len(self._bytes) < _GREETING_BYTES:
                return
            self._greeted = True
            del self._bytes[:_GREETING_BYTES]
        while (frame := self._next()) is not None:
            flags, body = frame
            if flags & _COMMAND:
                continue
            self._frames.append(body)
            if not flags & _MORE:
                yield self._frames
                self._frames = []

    def _next(self) -> tuple[int, bytes] | None:
        known = self._bytes
        if len(known) < 2:
            return None
        long = bool(known[0] & _LONG)
        start = 9 if long else 2
        if len(known) < start:
            return None
        stop = start + int.from_bytes(known[1:start], "big")
        if len(known) < stop:
            return None
        frame = known[0], bytes(known[start:stop])
        del known[:stop]
        return frame


class _Line:
    """A connection."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.session = b""
        self.heard = _Stream()
        self.said = _Stream()
        self.sending: tuple[int, bytes] | None = None


def listen(events: Sequence[Event]) -> Iterator[Spoken]:
    """Go through a log; yield the messages, in the order in which they were complete."""
    lines: dict[int, _Line] = {}
    opened = 0
    for at, event in enumerate(events):
        if event.kind is Kind.BEGUN:
            for line in lines.values():
                yield from _sent(line, None)
            lines = {}
        elif event.kind is Kind.ACCEPTED:
            opened += 1
            lines[event.fd] = _Line(opened)
        elif event.fd in lines:
            yield from _happened(lines[event.fd], at, event)
            if event.kind is Kind.CLOSED:
                del lines[event.fd]
    for line in lines.values():
        yield from _sent(line, None)


def _happened(line: _Line, at: int, event: Event) -> Iterator[Spoken]:
    if event.kind is Kind.RECEIVED:
        for frames in line.heard.feed(event.data):
            if not frames[0]:
                continue  # the probe with which each connection begins
            message = decode_from_peer(frames[0], frames[1:])
            if isinstance(message, Hello):
                line.session = message.session
            yield Spoken(at, line.number, line.session, True, message)
    elif event.kind is Kind.SENDING:
        line.sending = (at, event.data)
    elif event.kind is Kind.SENT:
        yield from _sent(line, event.result)


def _sent(line: _Line, size: int | None) -> Iterator[Spoken]:
    """So many bytes were taken; all, as far as is known, where the broker died meanwhile."""
    if line.sending is None:
        return
    (at, data), line.sending = line.sending, None
    for frames in line.said.feed(data if size is None else data[: max(size, 0)]):
        message = decode_from_broker(frames[0], frames[1:])
        yield Spoken(at, line.number, line.session, False, message)
