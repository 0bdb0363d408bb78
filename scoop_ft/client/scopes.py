"""A parent that runs in this process: it numbers its children and gathers them into batches.

Calls are pickled as they are submitted (the user may change an argument afterwards) and wait in an
open batch until somebody waits for them, the batch is large enough, or some milliseconds have
passed.  No I/O.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from threading import get_ident
from typing import Any, Final, NamedTuple

from msgspec import structs

from .. import coroutines
from ..functions import dump_function, identity
from ..ids import DIGEST_BYTES, digest
from ..optioned import Optioned
from ..payload import Packed, Packer
from ..references import goes_by_name, reference
from ..wire.messages import PLAIN, Options
from .groups import Chunk, Group
from .handlers import users, whole

BATCH_TASKS: Final = 2_048
BATCH_BYTES: Final = 256 << 10


Part = tuple[Group, int, int]  # group, first index, count


class Definition(NamedTuple):
    """A function as it travels; ``options`` and ``key_of`` are not part of what it is."""

    digest: bytes
    name: str
    blob: bytes
    code: bytes = b""
    python: str = ""
    sources: Sequence[tuple[str, int, int]] = ()
    options: Options = PLAIN
    key_of: Callable[[tuple[Any, ...], Mapping[str, Any]], str] | None = None


MOST: Final = 4_096  # functions that are known
_known: dict[bytes, Definition] = {}  # those that go by value, by their pickles
_by_name: dict[int, tuple[Any, Definition]] = {}  # the others, by id


@whole  # what a handler raises in its midst would pass for a fault of the function
def define(func: Callable[..., Any]) -> Definition:
    """Return a function as it travels, and apart from it the options of its calls.

    Raises
    ------
    UnpicklableError
        It cannot be sent, or its calls give coroutines.
    """
    named = _by_name.get(id(func))
    if named is not None and reference(func) is not None:
        return named[1]
    if type(func) is Optioned:
        key_of = None if func.key is None else func.key_of
        return _define(func.travelling())._replace(options=func.how, key_of=key_of)
    return _define(func)


def _define(func: Callable[..., Any]) -> Definition:
    """Pickle a function, once if it goes by name; what has state may be another each time.

    What goes by name and is another object than before was loaded anew: it may mean something else.
    """
    coroutines.refuse(func)
    blob, name = dump_function(func)
    named = goes_by_name(func)
    found = None if named else _known.get(blob)
    if found is None:
        found = Definition(digest(identity(func, blob)), name, blob, *describe(func))
        if named:
            _keep(_by_name, id(func), (func, found))
        elif len(blob) < 1_024:
            _keep(_known, blob, found)
    return found


def _keep(known: dict[Any, Any], key: Any, value: Any) -> None:
    if len(known) >= MOST:
        known.clear()
    known[key] = value


def forget_meanings() -> None:
    """A module was loaded anew: what functions of others mean that call its own is not known."""
    _known.clear()
    _by_name.clear()


def describe(func: Callable[..., Any]) -> tuple[bytes, str, Sequence[tuple[str, int, int]]]:
    """Return the digest of what a function means, the Python it counts for, and its sources.

    Empty where it cannot be worked out: user code may hold anything.
    """
    from ..code.digest import PYTHON, meaning

    try:
        found = meaning(func)
    except Exception:  # noqa: BLE001 - metaclasses and descriptors may do anything when looked at
        return b"", "", []
    return found.code, PYTHON, found.sources


class Closed(NamedTuple):
    """A batch ready to be sent or run."""

    scope: Scope
    group: Group
    functions: list[Definition]
    which: bytes
    packed: Packed
    options: Options = PLAIN


class Scope:
    """One parent.

    Parameters
    ----------
    task : bytes
        The parent's task id.
    lineage : bytes
        Its lineage.
    replayed : bool
        It has recorded children: what it submits must meet them at the broker.

    Attributes
    ----------
    lock : threading.Lock
        Held while a call is packed: the user's threads and ours meet here.
    ordered : bool
        What it submits cannot follow from the order in which results came: it has not asked which
        ones there are, and only one thread submits.
    skipped : list of (start, stop)
        The ordinals that it has gone past, since an earlier run of it had submitted those.
    keeper : object or None
        What `client.kept` knows of it, once it has kept something.
    generators : Generators or None
        Its random numbers, once it has asked for some (`scoop_ft.randomness`).
    options : Options
        Those of all calls in the open batch.
    defined : dict
        What the broker knows for its sake: see `Session.define`.
    called_for : int
        Its children whose results somebody wants to be called for (see `Room.waits`).
    time_limit_s : float
        Its own, which its children have too, unless theirs is shorter; 0: it has none.
    """

    __slots__ = (
        "_bulk", "_firsts", "_functions", "_group", "_groups", "_indices", "_keys", "_packer",
        "_thread", "_which", "abandoned", "alive", "called_for", "defined", "generators",
        "keeper", "lineage", "lock", "next", "options", "ordered", "replayed", "skipped", "task",
        "time_limit_s",
    )  # fmt: skip

    def __init__(self, task: bytes, lineage: bytes, *, replayed: bool) -> None:
        self.task = task
        self.lineage = lineage
        self.replayed = replayed
        self.alive = True
        self.abandoned = False
        self.called_for = 0
        self.defined: dict[bytes, bytes] = {}
        self.next = 0
        self.skipped: list[tuple[int, int]] = []
        self.keeper: Any = None
        self.ordered = True
        self._thread = 0
        self.lock = threading.RLock()
        self.generators: Any = None
        self._groups: list[Group] = []
        self._firsts: list[int] = []
        self._packer = Packer()
        self._bulk: tuple[Definition, list[Part]] | None = None  # what `add_many` is at
        self._group = Group(0, 0)
        self._functions: list[Definition] = []
        self._indices: dict[bytes, int] = {}
        self._which = array("H")
        self.options = PLAIN
        self.time_limit_s = 0.0
        self._keys = bytearray()

    # ---- submitting (the caller holds the lock) ------------------------------------------------

    def add(
        self, function: Definition, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Group, int]:
        """Put a call into the open batch; return where its result will be."""
        if get_ident() != self._thread:
            self._meet()
        packer = self._packer
        if len(packer.ends) != self._group.count:
            self._settle()
        packer.add_call(args, kwargs, function.name)
        group = self._group  # only now: pickling may have run user code that ended the batch
        self._which.append(self._index(function))
        self.next += 1
        group.missing += 1
        group.count += 1  # last: without it nothing of the above counts
        return group, group.count - 1

    @whole
    def add_many(
        self, function: Definition, calls: Iterable[tuple[Any, ...]], room: int
    ) -> list[Part]:
        """Put calls into the open batch, until it is full; return where their results will be.

        Those in a deque are read already: what is put into the batch is taken out of it.
        """
        if get_ident() != self._thread:
            self._meet()
        parts: list[Part] = []
        outer = self._bulk
        self._settle()
        self._bulk = function, parts
        try:
            if isinstance(calls, deque):
                self._packer.add_ahead(calls, function.name, room, BATCH_BYTES)
            else:
                self._packer.add_calls(calls, function.name, room, BATCH_BYTES)
        finally:
            self._settle()
            self._bulk = outer
        return parts

    def add_key(self, key: str) -> None:
        """The call just added has a key."""
        self._keys += digest(key.encode("utf-8", "surrogatepass"))

    def _meet(self) -> None:
        """A thread submits for the first time: the order among several is nobody's."""
        self.ordered = self.ordered and not self._thread
        self._thread = get_ident()

    def reading(
        self,
        calls: Iterator[tuple[Any, ...]],
        options: Options,
        opened: Callable[[Scope, Options], None],
    ) -> Iterator[tuple[Any, ...]]:
        """Yield calls to `add_many`, with the lock free while one is read.

        Reading runs user code: it may take long, submit, or wait for another thread that submits.
        """
        lock, bulk, nothing = self.lock, self._bulk, ()
        ends = self._packer.ends
        while True:
            lock.release()
            try:
                call = _read(calls, nothing)
            finally:
                lock.acquire()
            if call is nothing:
                return
            if self._bulk is not bulk:
                self._settle()
                self._bulk = bulk
            if ends is not self._packer.ends:
                ends = self._packer.ends
            if not ends or self.options is not options:
                opened(self, options)
                ends = self._packer.ends
            yield call
            if len(ends) >= BATCH_TASKS:
                return

    def _settle(self) -> None:
        """Count what `add_many` has packed so far.

        Pickling runs user code, which may submit or wait, and so come here in the midst of it.
        """
        group = self._group
        count = self._packer.count - group.count
        if not count:
            return
        if self._bulk is None:
            self._forget_rest(group)
            return
        function, parts = self._bulk
        self._which.extend(array("H", (self._index(function),)) * count)
        parts.append((group, group.count, count))
        group.count += count
        group.missing += count
        self.next += count

    def _forget_rest(self, group: Group) -> None:
        """Take back a call whose submission Ctrl-C has ended: nobody has a future of it."""
        self._packer.cut(group.count)
        del self._which[group.count :]
        group.missing = group.count
        self.next = group.first + group.count

    def room(self) -> int:
        """Return how many calls the open batch still takes.

        One at least: it may be over full, where pickling has submitted more.
        """
        return max(1, BATCH_TASKS - self._packer.count)

    def is_full(self) -> bool:
        """Must the open batch be closed?"""
        packer = self._packer
        ends = packer.ends  # asked for each call: `size_bytes` is written out
        if not ends:
            return False
        return len(ends) >= BATCH_TASKS or ends[-1] + packer.frame_bytes >= BATCH_BYTES

    def has_open(self) -> bool:
        """Is there a call that has not left?"""
        return self._packer.count > 0

    def _index(self, function: Definition) -> int:
        index = self._indices.get(function.digest)
        if index is None:
            index = self._indices[function.digest] = len(self._functions)
            self._functions.append(function)
        return index

    def close(self) -> Closed | None:
        """End the open batch; None when there is nothing in it."""
        self._settle()
        if not self.has_open():
            return None
        group, packed = self._group, self._packer.take()
        which = self._which.tobytes() if len(self._functions) > 1 else b""
        closed = Closed(self, group, self._functions, which, packed, self._closed_options(group))
        self._groups.append(group)
        self._firsts.append(group.first)
        self._group = Group(self.next, 0)
        self._functions = []
        self._indices = {}
        self._which = array("H")
        return closed

    def _closed_options(self, group: Group) -> Options:
        """Return the options of the batch that ends, and its keys."""
        options, limit_s = self.options, self.time_limit_s
        if limit_s and not 0 < options.time_limit_s <= limit_s:
            options = structs.replace(options, time_limit_s=limit_s)
        if not self._keys:
            return options
        keys, self._keys = bytes(self._keys), bytearray()
        # User code that is run while a call is packed may have mixed others among them.
        whole = len(keys) == DIGEST_BYTES * group.count
        return structs.replace(options, keys=keys if whole else b"")

    def go_on_at(self, ordinal: int) -> None:
        """Number children from here on: an earlier run had submitted those before.

        The open batch must be empty.
        """
        if ordinal > self.next:
            before = (
                self.skipped.pop() if self.skipped and self.skipped[-1][1] == self.next else None
            )
            self.skipped.append((before[0] if before else self.next, ordinal))
            self.next = ordinal
            self._group = Group(ordinal, 0)

    # ---- results ---------------------------------------------------------------------------

    def deliver(self, start: int, stop: int, chunk: Chunk, position: int) -> None:
        """Results of the children of these ordinals have come."""
        at = bisect_right(self._firsts, start) - 1
        while start < stop and 0 <= at < len(self._groups):
            group = self._groups[at]
            end = min(stop, group.first + group.count)
            if start < end:
                group.put(start - group.first, end - group.first, chunk, position)
                position += end - start
                start = end
                if group.missing == 0:
                    del self._groups[at], self._firsts[at]
                    continue
            at += 1
            if at < len(self._groups) and start < self._firsts[at]:
                position += self._firsts[at] - start
                start = self._firsts[at]

    def settle(self, group: Group) -> None:
        """Forget a group whose results are all there."""
        at = bisect_right(self._firsts, group.first) - 1
        if at >= 0 and self._groups[at] is group:
            del self._groups[at], self._firsts[at]

    def waits_for(self) -> list[tuple[int, int]]:
        """Return the ordinals whose results have not come, batches not yet closed left out."""
        ranges: list[tuple[int, int]] = []
        for group in self._groups:
            for start, stop in group.missing_ranges():
                if ranges and ranges[-1][1] == start:
                    ranges[-1] = (ranges[-1][0], stop)
                else:
                    ranges.append((start, stop))
        return ranges

    def submitted(self) -> int:
        """Return the first ordinal that is not in a closed batch."""
        return self._group.first


@users
def _read(calls: Iterator[tuple[Any, ...]], nothing: tuple[()]) -> tuple[Any, ...]:
    return next(calls, nothing)
