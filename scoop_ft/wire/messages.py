"""Every message between the broker and its peers, as one frozen record each.

A message is one header frame (the record as a MessagePack array: its tag, then its fields in the
order written here) followed by the frames its docstring names.  ``docs/protocol.md`` describes the
same for readers without this code.  Nothing here sends or receives.

Conventions: ``ranges`` are half-open ``(start, stop)`` pairs in growing order.  ``ends`` is a
little-endian ``u32`` a task: where its pickle ends in the payload frame.  ``buffers`` lists
``(index, size)`` of each further frame: the out-of-band buffers of protocol-5 pickles, in order of
their tasks.  ``n`` numbers the messages a session wants acknowledged: 1, 2, 3, …
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

import msgspec

PROTOCOL_VERSION = 7

SMALL_BYTES: Final = 1_024  # of a function's pickle: one that travels by name has less

Range = tuple[int, int]
SpanRef = tuple[bytes, int, int]


class Status(IntEnum):
    """How a task ended; one byte a task in ``status`` fields (an empty field: all ``OK``)."""

    OK = 0  # its payload is the pickled result
    RAISED = 1  # its payload is a pickled (exception, traceback text) pair
    LOST = 2  # its payload is a MessagePack map: the broker gave the task up, and says why
    CANCELLED = 3  # its payload is empty


class Message(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """Base of all messages."""


class Options(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How the tasks of a batch are to be run; a map, of those options that were given.

    ``time_limit_s`` counts for one attempt, ``attempts`` are the workers that may die of a task (0:
    as many as of any other), ``repeatable`` is false for a task that is not begun twice.  ``keys``
    is a digest a task, which stands for its arguments when it is compared (empty: none does).
    """

    time_limit_s: float = 0.0
    attempts: int = 0
    priority: int = 0
    resources: dict[str, int] = {}
    repeatable: bool = True
    keys: bytes = b""


PLAIN = Options()  # of tasks without options


# ---- from a peer to the broker ------------------------------------------------------------------


class Hosting(msgspec.Struct, array_like=True, frozen=True):
    """A parent that runs in this session: it has submitted the ordinals below ``next`` (what was
    not acknowledged is left out: it is submitted again), but for those in ``skipped``, which only
    an earlier run of it has, and still waits for those in ``ranges``.
    """

    parent: bytes
    next: int
    ranges: list[Range]
    skipped: list[Range] = []


class Hello(Message, frozen=True, tag=1):
    """First message on each connection.  Replies: `Welcome` or `Refused`.

    ``holding`` are the tasks this session has and has not finished; ``agent`` is the session of the
    agent that answers for it (empty for none).  ``connection`` grows with each connection of a
    session (0: it has only one), so that what is left of an older one is known as such.
    ``resources`` are what a worker has for tasks that ask for it.  ``credit`` is the first of its
    `Credit` (0: it takes whatever there is).
    """

    version: int
    session: bytes
    role: str  # "root", "worker", "agent" or "observer"
    host: str
    pid: int
    agent: bytes
    hosting: list[Hosting]
    holding: list[SpanRef]
    connection: int = 0
    resources: dict[str, int] = {}
    credit: int = 0


class Define(Message, frozen=True, tag=2):
    """A function, sent once a session before its first use.  Frames: its pickle.

    One that is not small, and that tasks call, is sent once for each of these: it leaves with them.

    ``digest`` is its name, of what it is; ``code`` is the digest of what it means, with all that it
    calls (empty: unknown), under the Python version ``python``, read from the files ``sources``:
    path, time of change, size.
    """

    n: int
    digest: bytes
    name: str
    code: bytes = b""
    python: str = ""
    sources: list[tuple[str, int, int]] = []


class Submit(Message, frozen=True, tag=3):
    """A batch.  Frames: payload, buffers.  ``which`` is a little-endian ``u16`` a task, the index
    of its function in ``functions`` (empty: all 0); ``claimed`` are indices the sender runs itself.
    ``ordered``: which calls these are cannot follow from the order in which results came.
    """

    n: int
    batch: bytes
    parent: bytes
    lineage: bytes
    first: int
    count: int
    functions: list[bytes]
    which: bytes
    ends: bytes
    buffers: list[tuple[int, int]]
    claimed: list[Range]
    ordered: bool = False
    options: Options = PLAIN


class Results(Message, frozen=True, tag=4):
    """Results of tasks of one batch.  Frames: payload, buffers (their indices are the tasks').

    ``elapsed_ns`` is the time that ``timed`` of these tasks took in all.  ``kept``: the parent runs
    in the session that sends this, and has these results already.
    """

    n: int
    batch: bytes
    ranges: list[Range]
    status: bytes
    ends: bytes
    buffers: list[tuple[int, int]]
    timed: int
    elapsed_ns: int
    kept: bool


class Returned(Message, frozen=True, tag=5):
    """Spans handed back unstarted: the answer to `Recall` (then ``recall`` is its number, and the
    list may be empty), to `Drop`, or on leaving (``recall`` 0).  ``drop`` says that it answers a
    `Drop`: what comes after it was said by no attempt that was given up by that."""

    recall: int
    spans: list[SpanRef]
    drop: bool = False


class Idle(Message, frozen=True, tag=6):
    """A worker has nothing it could run; it has had ``runs`` `Run` messages on this connection."""

    runs: int


class SetConst(Message, frozen=True, tag=7):
    """A shared constant.  Frames: its pickle, buffers."""

    n: int
    key: str
    buffers: list[int]


class Cancel(Message, frozen=True, tag=8):
    """A parent does not want these children any more.  Reply: `Cancelled`.

    ``subtree``: nor those that run, nor what they have submitted.
    """

    request: int
    parent: bytes
    ranges: list[Range]
    subtree: bool = False


class Query(Message, frozen=True, tag=9):
    """Is this child handed to a worker?  Reply: `Answer`."""

    request: int
    parent: bytes
    ordinal: int


class End(Message, frozen=True, tag=10):
    """The root's script has ended with this exit code."""

    n: int
    exit_code: int


class Leaving(Message, frozen=True, tag=11):
    """A worker goes away; what it holds may be given to others at once."""


class WorkerReport(msgspec.Struct, array_like=True, frozen=True):
    """What an agent sees of one worker, from outside.  ``state``: starting, idle, busy, stopped."""

    session: bytes
    pid: int
    state: str
    task: bytes  # the id of the task that runs, empty for none
    since_s: float
    rss_bytes: int
    tasks_done: int


class Heartbeat(Message, frozen=True, tag=12):
    """An agent and its workers.  Reply: `Stats`."""

    workers: list[WorkerReport]


class Gone(Message, frozen=True, tag=13):
    """A worker's process has ended.  ``signal`` is 0 when it exited with ``code``.

    ``stopped`` says that it was stopped when it ended: what it ran may have been given to others.
    ``overdue``: it was killed because the time limit of its task was over.
    ``abrupt``: its task has ended it, though with exit code 0.
    """

    n: int
    session: bytes
    pid: int
    code: int
    signal: int
    task: bytes
    stderr: str
    stopped: bool = False
    overdue: bool = False
    abrupt: bool = False


class AskStatus(Message, frozen=True, tag=14):
    """An observer asks how the run is.  Reply: `Stats`.

    ``refused`` says why its machine does not join the run; empty when it does, or is not about to.
    """

    refused: str = ""


class Checkpoint(Message, frozen=True, tag=15):
    """A parent's state: run again, it goes on from there.  Frames: its pickle, buffers.

    It has given ordinals below ``next`` and passed ``next_step`` durable steps.  Its children from
    ``first`` on are not needed any more, but for those in ``wanted``, whose results have not come,
    nor are the steps recorded under the numbers ``steps``.  ``upto`` is the last batch of this
    session before it (empty: there is none); ``waits``: the parent does nothing until it is synced.
    """

    n: int
    parent: bytes
    first: int
    next: int
    next_step: int
    steps: list[Range]
    upto: bytes
    wanted: list[Range]
    waits: bool
    buffers: list[int]


class Step(Message, frozen=True, tag=16):
    """The value of a parent's durable step.  Frames: its pickle, buffers.

    ``step`` is the number that `Fetched` gave for it; ``call`` is the digest of function and
    arguments; ``next`` and ``next_step`` are the parent's numbers after it, for it may have had
    children and steps of its own.
    """

    n: int
    parent: bytes
    step: int
    call: bytes
    name: str
    next: int
    next_step: int
    buffers: list[int]


class Fetch(Message, frozen=True, tag=17):
    """A parent asks for its checkpoint (``step`` -1) or for the value of its next durable step.

    ``taken`` are the numbers of the recorded steps that this run of it has had.  Reply: `Fetched`.
    """

    request: int
    parent: bytes
    step: int
    call: bytes
    taken: list[Range]


class Source(Message, frozen=True, tag=18):
    """A file of the user's code, as it is being run.  Frames: its bytes.

    ``kind``: script, module, package (its ``__init__.py``), namespace (a package without one, of
    no bytes), or environment (no code: the versions in use, as the MessagePack of `Environment`).
    """

    n: int
    name: str
    kind: str
    path: str
    digest: bytes


class AskSource(Message, frozen=True, tag=19):
    """The recorded code of a module, please.  Reply: `Sources`."""

    request: int
    name: str


class Credit(Message, frozen=True, tag=20):
    """`Deliver` messages with so many ``bytes`` of frames in all may be sent on this connection.

    What there is beyond that waits in the journal.
    """

    bytes: int


# ---- from the broker to a peer ------------------------------------------------------------------


class Welcome(Message, frozen=True, tag=32):
    """The answer to `Hello`.  The peer now sends again, in order, what was not acknowledged."""

    run: str
    incarnation: int
    settings: dict[str, Any]


class Refused(Message, frozen=True, tag=33):
    """The answer to a `Hello` that cannot be served, or to a parent's nonsense; final."""

    reason: str


class Unknown(Message, frozen=True, tag=34):
    """The broker does not know this connection: open a new one and say `Hello`."""


class Ack(Message, frozen=True, tag=35):
    """All messages of this session up to ``n`` are committed and synced."""

    n: int


class Run(Message, frozen=True, tag=36):
    """A span to run: tasks ``start`` to ``stop`` of a batch.  Frames: payload, buffers.

    ``ends`` still counts from the batch's payload; this payload frame begins at ``base``.
    ``ordinal`` is the first task's place among its siblings.  ``replayed`` are indices of tasks
    that have recorded children: these parents submit everything to the broker.  Each task may take
    ``time_limit_s`` (0: as long as it likes).
    """

    batch: bytes
    start: int
    stop: int
    lineage: bytes
    ordinal: int
    functions: list[bytes]
    which: bytes
    ends: bytes
    base: int
    buffers: list[tuple[int, int]]
    replayed: list[int]
    time_limit_s: float = 0.0


class Function(Message, frozen=True, tag=37):
    """A function, sent before the first `Run` that needs it.  Frames: its pickle."""

    digest: bytes
    name: str


class Deliver(Message, frozen=True, tag=38):
    """Results for a parent: the child of ordinal ``index + shift`` for each index in ``ranges``.

    Where ``shifts`` is not empty, each range has its own.
    ``batch`` is their batch.  Frames: payload, buffers.  The payload frame begins at ``base`` of
    what ``ends`` counts.  The receiver keeps the message until `Synced`: a broker that died may
    have passed on what it had not recorded, and then gets it back as `Results`.
    """

    parent: bytes
    batch: bytes
    shift: int
    ranges: list[Range]
    status: bytes
    ends: bytes
    base: int
    buffers: list[tuple[int, int]]
    shifts: list[int] = []


class Synced(Message, frozen=True, tag=46):
    """The first ``delivered`` `Deliver` messages on this connection are committed and synced."""

    delivered: int


class Recall(Message, frozen=True, tag=39):
    """Others are idle: hand back about half of what has not started.  Reply: `Returned`."""

    recall: int


class Drop(Message, frozen=True, tag=40):
    """These tasks are not wanted from this worker any more.  Reply: `Returned` with those among
    them that had not started."""

    recall: int
    spans: list[SpanRef]
    cancelled: bool = False  # nobody wants them from anybody else, either


class Const(Message, frozen=True, tag=41):
    """A shared constant.  Frames: its pickle, buffers."""

    key: str
    buffers: list[int]


class Cancelled(Message, frozen=True, tag=42):
    """The children that will not run: a part of what `Cancel` asked for."""

    request: int
    ranges: list[Range]


class Answer(Message, frozen=True, tag=43):
    """The answer to `Query`."""

    request: int
    running: bool


NO_WORKER: Final = "no worker is connected"  # why a run waits, in `Stats`


class Stats(Message, frozen=True, tag=44):
    """How the run is, as plain maps (the ``tasks``, ``workers`` and ``waiting`` of ``status``)."""

    stats: dict[str, Any]


class SourceRef(msgspec.Struct, array_like=True, frozen=True):
    """What is recorded of a file of the user's code, without its bytes (see `Source`)."""

    name: str
    kind: str
    path: str
    digest: bytes


class Sources(Message, frozen=True, tag=48):
    """Code that is recorded: unasked (``request`` 0) without its bytes, for whoever has it on disk
    to compare; as the answer to `AskSource` with them (and empty when it is not recorded).
    Frames: in an answer, the bytes of each."""

    request: int
    sources: list[SourceRef]


class Environment(msgspec.Struct):
    """The Python of a run and the versions of the packages its script has imported.

    ``complete`` says that these were looked for.  ``named``: modules of packages that only its
    functions import, as far as they are installed where it runs: it may do without them.
    """

    python: str
    implementation: str
    packages: dict[str, str]
    complete: bool
    named: list[str] = []


class Forget(Message, frozen=True, tag=49):
    """No recorded task calls these functions: each is sent again before the next `Run` of it."""

    functions: list[bytes]


class Stop(Message, frozen=True, tag=45):
    """The run is over, or this peer is not wanted: leave."""

    reason: str


class Fetched(Message, frozen=True, tag=47):
    """The answer to `Fetch`.  Frames: the pickle and its buffers; none when nothing is recorded.

    ``step`` is the number under which the step is recorded, or is to be.
    """

    request: int
    found: bool
    step: int
    next: int
    next_step: int
    buffers: list[int]


FromPeer = (
    Hello | Define | Submit | Results | Returned | Idle | SetConst | Cancel | Query | End
    | Leaving | Heartbeat | Gone | AskStatus | Checkpoint | Step | Fetch
    | Source | AskSource | Credit
)  # fmt: skip
FromBroker = (
    Welcome | Refused | Unknown | Ack | Run | Function | Deliver | Recall | Drop | Const
    | Cancelled | Answer | Stats | Stop | Synced | Fetched
    | Sources | Forget
)  # fmt: skip
