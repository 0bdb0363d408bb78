"""Messages to frames and back; whatever is not a well-formed message is a `ProtocolError`.

The shape of a header is checked by msgspec; what a shape cannot say (lengths that must agree,
ranges that must grow, frames that must be there) is checked here, so that nobody behind this
module meets a malformed message.  Nothing here unpickles, sends or decides.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from ..errors import ProtocolError
from ..ids import BATCH_ID_BYTES, DIGEST_BYTES, LINEAGE_BYTES, SESSION_BYTES, TASK_ID_BYTES
from .frames import LARGEST, Buffer
from .messages import (
    PLAIN,
    Cancel,
    Checkpoint,
    Const,
    Define,
    Deliver,
    Drop,
    End,
    Environment,
    Fetch,
    Fetched,
    Forget,
    FromBroker,
    FromPeer,
    Function,
    Gone,
    Heartbeat,
    Hello,
    Message,
    Options,
    Query,
    Range,
    Results,
    Returned,
    Run,
    SetConst,
    Source,
    Sources,
    SpanRef,
    Status,
    Step,
    Submit,
)

MAX_COUNT = 1 << 24  # tasks in one batch
MAX_ORDINAL = 1 << 62
MAX_SOURCE = 10_000_000  # bytes of one file of the user's code
MAX_NAME = 1_000  # characters of a module's name
MAX_SECONDS = 1e9
MAX_RESOURCES = 100
SOURCE_KINDS = frozenset({"script", "module", "package", "namespace", "environment"})

_encoder = msgspec.msgpack.Encoder()
_from_peer = msgspec.msgpack.Decoder(FromPeer)
_from_broker = msgspec.msgpack.Decoder(FromBroker)
_environment = msgspec.msgpack.Decoder(Environment)

LAST_STATUS = int(max(Status))
ROLES = frozenset({"root", "worker", "agent", "observer"})


def encode(message: Message) -> bytes:
    """Return the header frame of a message."""
    return _encoder.encode(message)


def decode_from_peer(header: Buffer, frames: Sequence[Buffer]) -> Any:
    """Return the checked message that a peer sent.

    Parameters
    ----------
    header : bytes or memoryview
        The first frame.
    frames : sequence of bytes or memoryview
        The frames after it.

    Raises
    ------
    ProtocolError
        It is not a well-formed message from a peer.
    """
    return _decode(_from_peer, header, frames)


def decode_from_broker(header: Buffer, frames: Sequence[Buffer]) -> Any:
    """Return the checked message that the broker sent (see `decode_from_peer`)."""
    return _decode(_from_broker, header, frames)


def decode_header(header: Buffer, kind: type[Message]) -> Any:
    """Return a header the journal holds; its frames were checked when it was recorded."""
    return _headers[kind].decode(header)


_headers: dict[type[Message], msgspec.msgpack.Decoder[Any]] = {
    kind: msgspec.msgpack.Decoder(kind)
    for kind in (Submit, Results, SetConst, Define, End, Checkpoint, Step, Source)
}


def _decode(decoder: Any, header: Buffer, frames: Sequence[Buffer]) -> Any:
    try:
        message = decoder.decode(header)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"not a message: {error}") from None
    _need(all(len(frame) <= LARGEST for frame in frames), "a frame too large")
    kind = type(message)
    try:
        if frames and kind not in _WITH_FRAMES:
            raise ProtocolError(f"{kind.__name__} has {len(frames)} frames too many")
        if kind in _CHECKS:
            _CHECKS[kind](message, frames)
    except ProtocolError as error:
        error.message = message
        raise
    return message


def _need(truth: bool, what: str) -> None:
    if not truth:
        raise ProtocolError(what)


def _check_ranges(ranges: Sequence[Range], limit: int) -> int:
    """Check that ranges grow within ``limit``; return how many numbers they hold."""
    last = total = 0
    for start, stop in ranges:
        _need(last <= start < stop <= limit, "ranges do not grow")
        total += stop - start
        last = stop
    return total


def _check_spans(spans: Sequence[SpanRef]) -> None:
    for batch, start, stop in spans:
        _need(len(batch) == BATCH_ID_BYTES, "wrong batch id")
        _need(0 <= start < stop <= MAX_COUNT, "wrong span")


def _check_frames(
    count: int,
    ends: bytes,
    base: int,
    buffers: Sequence[tuple[int, int]],
    frames: Sequence[Buffer],
    limit: int,
) -> None:
    """Check that ``count`` tasks, their ends, payload and buffer frames agree."""
    _need(len(ends) == 4 * count, "ends do not fit the tasks")
    _need(len(frames) == 1 + len(buffers), "wrong number of frames")
    last = int.from_bytes(ends[-4:], "little") if ends else base
    _need(0 <= base <= last and last - base == len(frames[0]), "payload does not fit its ends")
    if not buffers:
        return
    index = 0
    for (task, size), frame in zip(buffers, frames[1:], strict=True):
        _need(index <= task < limit and size == len(frame), "buffers do not fit their frames")
        index = task


def _hello(m: Hello, frames: Sequence[Buffer]) -> None:
    _need(len(m.session) == SESSION_BYTES, "wrong session")
    _need(len(m.agent) in (0, SESSION_BYTES), "wrong agent")
    _need(m.role in ROLES, "unknown role")
    for hosting in m.hosting:
        _need(len(hosting.parent) == TASK_ID_BYTES, "wrong parent")
        _need(0 <= hosting.next <= MAX_ORDINAL, "wrong ordinal")
        _check_ranges(hosting.ranges, hosting.next)
        _check_ranges(hosting.skipped, hosting.next)
    _check_spans(m.holding)
    _check_resources(m.resources)
    _need(m.credit >= 0, "wrong credit")


def _define(m: Define, frames: Sequence[Buffer]) -> None:
    _need(m.n > 0, "not numbered")
    _need(len(m.code) in (0, DIGEST_BYTES), "wrong code digest")
    _need(len(m.digest) == DIGEST_BYTES and len(frames) == 1, "wrong function")


def _submit(m: Submit, frames: Sequence[Buffer]) -> None:
    _need(m.n > 0, "not numbered")
    _need(len(m.batch) == BATCH_ID_BYTES and len(m.parent) == TASK_ID_BYTES, "wrong id")
    _need(len(m.lineage) == LINEAGE_BYTES, "wrong lineage")
    _need(0 < m.count <= MAX_COUNT and 0 <= m.first <= MAX_ORDINAL, "wrong count")
    functions = len(m.functions)
    _need(0 < functions <= 0xFFFF, "wrong number of functions")
    _need(set(map(len, m.functions)) == {DIGEST_BYTES}, "wrong function")
    if m.which:
        _need(len(m.which) == 2 * m.count, "functions do not fit the tasks")
        _need(max(_u16(m.which)) < functions, "a function is missing")
    _check_frames(m.count, m.ends, 0, m.buffers, frames, m.count)
    _check_growth(m.ends)
    if m.claimed:
        _check_ranges(m.claimed, m.count)
    if m.options != PLAIN:
        _check_options(m.options, m.count)


def _check_options(options: Options, count: int) -> None:
    _need(0 <= options.time_limit_s <= MAX_SECONDS, "wrong time limit")
    _need(0 <= options.attempts <= MAX_COUNT, "wrong attempts")
    _need(abs(options.priority) <= MAX_COUNT, "wrong priority")
    _check_resources(options.resources)
    _need(len(options.keys) in (0, DIGEST_BYTES * count), "keys do not fit the tasks")


def _check_resources(resources: Mapping[str, int]) -> None:
    _need(len(resources) <= MAX_RESOURCES, "too many resources")
    _need(all(0 < len(name) <= MAX_NAME for name in resources), "wrong resource")
    _need(all(0 < number <= MAX_COUNT for number in resources.values()), "wrong resource")


def _results(m: Results, frames: Sequence[Buffer]) -> None:
    _need(m.n > 0, "not numbered")
    _need(len(m.batch) == BATCH_ID_BYTES, "wrong id")
    count = _check_ranges(m.ranges, MAX_COUNT)
    _need(count > 0, "no results")
    _need(0 <= m.timed <= count and m.elapsed_ns >= 0, "wrong times")
    _check_status(m.status, count)
    _check_frames(count, m.ends, 0, m.buffers, frames, MAX_COUNT)
    _check_growth(m.ends)
    if m.buffers:
        _check_owners(m.buffers, m.ranges)


def _check_growth(ends: bytes) -> None:
    """Check that no task ends before the one before it: payloads are cut at these places."""
    if len(ends) <= 4:
        return
    in_order = array("I", sorted(memoryview(ends).cast("I")))
    _need(in_order.tobytes() == ends, "ends do not grow")


def _check_owners(buffers: Sequence[tuple[int, int]], ranges: Sequence[Range]) -> None:
    """Check that buffers, whose indices grow, belong to tasks in these ranges."""
    rest = iter(ranges)
    start, stop = next(rest)
    for index, _ in buffers:
        while index >= stop:
            start, stop = next(rest, (MAX_COUNT, MAX_COUNT + 1))
        _need(start <= index, "a buffer of no task")


def _check_status(status: bytes, count: int) -> None:
    _need(not status or (len(status) == count and max(status) <= LAST_STATUS), "wrong status")


def _spans(m: Returned | Drop, frames: Sequence[Buffer]) -> None:
    _check_spans(m.spans)


def _const(m: SetConst | Const, frames: Sequence[Buffer]) -> None:
    _check_value(m.buffers, frames)


def _check_value(buffers: Sequence[int], frames: Sequence[Buffer]) -> None:
    """Check the frames of one value: its pickle, then its buffers."""
    _need(len(frames) == 1 + len(buffers), "wrong number of frames")
    _need([len(frame) for frame in frames[1:]] == list(buffers), "buffers do not fit their frames")


def _checkpoint(m: Checkpoint, frames: Sequence[Buffer]) -> None:
    _need(m.n > 0, "not numbered")
    _need(len(m.parent) == TASK_ID_BYTES, "wrong parent")
    _need(len(m.upto) in (0, BATCH_ID_BYTES), "wrong batch id")
    _need(0 <= m.first <= m.next <= MAX_ORDINAL, "wrong ordinals")
    _need(0 <= m.next_step <= MAX_ORDINAL, "wrong step")
    _check_ranges(m.steps, MAX_ORDINAL)
    _check_ranges(m.wanted, m.next)
    _check_value(m.buffers, frames)


def _step(m: Step, frames: Sequence[Buffer]) -> None:
    _need(m.n > 0, "not numbered")
    _need(len(m.parent) == TASK_ID_BYTES and len(m.call) == DIGEST_BYTES, "wrong step")
    numbers = (m.step, m.next, m.next_step)
    _need(all(0 <= number <= MAX_ORDINAL for number in numbers), "wrong numbers")
    _check_value(m.buffers, frames)


def _fetch(m: Fetch, frames: Sequence[Buffer]) -> None:
    _need(len(m.parent) == TASK_ID_BYTES, "wrong parent")
    _need(-1 <= m.step <= MAX_ORDINAL, "wrong step")
    _check_ranges(m.taken, MAX_ORDINAL)


def _fetched(m: Fetched, frames: Sequence[Buffer]) -> None:
    if m.found:
        _check_value(m.buffers, frames)
    else:
        _need(not frames, "nothing was found")


def _cancel(m: Cancel, frames: Sequence[Buffer]) -> None:
    _need(len(m.parent) == TASK_ID_BYTES, "wrong parent")
    _check_ranges(m.ranges, MAX_ORDINAL)


def _query(m: Query, frames: Sequence[Buffer]) -> None:
    _need(len(m.parent) == TASK_ID_BYTES, "wrong parent")
    _need(m.ordinal >= 0, "wrong ordinal")


def _heartbeat(m: Heartbeat, frames: Sequence[Buffer]) -> None:
    for report in m.workers:
        _need(len(report.session) == SESSION_BYTES, "wrong session")
        _need(len(report.task) in (0, TASK_ID_BYTES), "wrong task")


def _gone(m: Gone, frames: Sequence[Buffer]) -> None:
    _need(m.n > 0, "not numbered")
    _need(len(m.session) == SESSION_BYTES, "wrong session")
    _need(len(m.task) in (0, TASK_ID_BYTES), "wrong task")


def _source(m: Source, frames: Sequence[Buffer]) -> None:
    _need(m.n > 0, "not numbered")
    _need(m.kind in SOURCE_KINDS and 0 < len(m.name) <= MAX_NAME, "wrong source")
    _need(len(m.digest) == DIGEST_BYTES and len(frames) == 1, "wrong source")
    _need(len(frames[0]) <= MAX_SOURCE, "a source too large")
    if m.kind == "environment":
        decode_environment(frames[0])


def decode_environment(data: Buffer) -> Environment:
    """Return the versions that a `Source` of this kind carries, or raise `ProtocolError`."""
    try:
        return _environment.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"not an environment: {error}") from None


def _sources(m: Sources, frames: Sequence[Buffer]) -> None:
    _need(len(frames) == (len(m.sources) if m.request else 0), "wrong number of frames")


def _run(m: Run, frames: Sequence[Buffer]) -> None:
    _need(len(m.batch) == BATCH_ID_BYTES and 0 <= m.start < m.stop, "wrong span")
    count = m.stop - m.start
    _need(not m.which or len(m.which) == 2 * count, "functions do not fit the tasks")
    _need(0 <= m.time_limit_s <= MAX_SECONDS, "wrong time limit")
    _check_frames(count, m.ends, m.base, m.buffers, frames, m.stop)


def _function(m: Function, frames: Sequence[Buffer]) -> None:
    _need(len(m.digest) == DIGEST_BYTES and len(frames) == 1, "wrong function")


def _forget(m: Forget, frames: Sequence[Buffer]) -> None:
    _need(all(len(digest) == DIGEST_BYTES for digest in m.functions), "wrong function")


def _deliver(m: Deliver, frames: Sequence[Buffer]) -> None:
    _need(len(m.batch) == BATCH_ID_BYTES, "wrong id")
    count = _check_ranges(m.ranges, MAX_COUNT)
    _check_status(m.status, count)
    _check_frames(count, m.ends, m.base, m.buffers, frames, MAX_COUNT)
    _need(not m.shifts or len(m.shifts) == len(m.ranges), "shifts do not fit the ranges")


def _u16(data: bytes) -> memoryview:
    return memoryview(data).cast("H")


_CHECKS: dict[type, Callable[[Any, Sequence[Buffer]], None]] = {
    Hello: _hello,
    Define: _define,
    Submit: _submit,
    Results: _results,
    Returned: _spans,
    SetConst: _const,
    Cancel: _cancel,
    Query: _query,
    Heartbeat: _heartbeat,
    Gone: _gone,
    Run: _run,
    Function: _function,
    Forget: _forget,
    Deliver: _deliver,
    Drop: _spans,
    Const: _const,
    Checkpoint: _checkpoint,
    Step: _step,
    Fetch: _fetch,
    Fetched: _fetched,
    Source: _source,
    Sources: _sources,
}
_WITH_FRAMES: frozenset[type] = frozenset(
    {
        Define, Submit, Results, SetConst, Const, Checkpoint, Step, Fetched, Source, Sources, Run,
        Function, Deliver,
    }
)  # fmt: skip
