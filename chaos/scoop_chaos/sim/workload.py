"""Made-up programs: trees of tasks that use the library as people do, and can be run serially.

A call is a plain tuple, so that it is its own description: a key, milliseconds of work, how it goes
about its children, and these.  The functions are ordinary tasks; run without a run they give the
serial answer.  What they do to the world (begin, work, die) goes through `stage`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from pickle import PickleBuffer
from typing import Any

from scoop_ft import checkpoint, futures, options, shared
from scoop_ft.errors import TaskLost

from . import stage

Call = tuple[str, float, str, tuple[Any, ...]]  # key, milliseconds, how, children
Program = tuple[Call, ...]

CONST = "a-constant"
ROOT = "the-number-of-the-root"  # a constant that each run of the script sets anew


class Boom(Exception):
    """What a task raises that is meant to."""


# ---- what tasks do -----------------------------------------------------------------------------


class Blob:
    """What travels beside its pickle, as an array does."""

    def __init__(self, data: Any) -> None:
        self.data = bytes(data)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return Blob, (PickleBuffer(self.data),)

    def __repr__(self) -> str:
        return f"Blob({zlib.crc32(self.data)})"


def node(call: Call, blob: Blob | None = None) -> tuple[str, Any, int]:
    """Do what a call says; return its key, a value made of its children's results, and a number.

    The number is another one each time: whoever looks at the bytes sees which of several runs of a
    task a result is of.  No value is made of it.
    """
    key, millis, how, children = call
    if blob is not None and blob.data != blob_of(call).data:
        stage.wrong(f"{key} was given the buffers of another call")
    number = stage.begin(key)
    stage.work(millis / 1000)
    return key, HOW[how](key, children), number


def edited_node(call: Call, blob: Blob | None = None) -> tuple[str, Any, int]:
    """The same task after somebody has edited it: it returns something else."""
    key, value, number = node(call, blob)
    return key, ("edited", value), number


def blob_of(call: Call) -> Blob:
    """Return what goes with a call as its second argument."""
    return Blob(call[0].encode() * 20)


def leaf(key: str, children: tuple[Call, ...]) -> Any:
    """It has a value of its own."""
    return zlib.crc32(key.encode())


def raises(key: str, children: tuple[Call, ...]) -> Any:
    """It fails, as the program expects."""
    raise Boom(key)


def buffers(key: str, children: tuple[Call, ...]) -> Any:
    """It has a large result."""
    return Blob(key.encode() * 30)


def poison(key: str, children: tuple[Call, ...]) -> Any:
    """It kills whoever runs it."""
    stage.die(key, for_ever=True)


def poison_once(key: str, children: tuple[Call, ...]) -> Any:
    """It kills the first who runs it."""
    stage.die(key, for_ever=False)
    return zlib.crc32(key.encode())


def deaf(key: str, children: tuple[Call, ...]) -> Any:
    """It computes for long, and lets nobody in its process answer meanwhile."""
    stage.work(zlib.crc32(key.encode()) % 8 * 0.5, deaf=True)
    return zlib.crc32(key.encode())


def hangs(key: str, children: tuple[Call, ...]) -> Any:
    """It never ends: whoever calls it has set it a limit, or gives it up."""
    stage.hang(key)


def overruns(key: str, children: tuple[Call, ...]) -> Any:
    """It waits for one that never ends, with a limit that is its own, too: one of both overruns."""
    try:
        futures.submit(node, *arguments_of(children[0])).result()
    except (TaskLost, stage.Died):
        raise stage.Died(key) from None


def constant(key: str, children: tuple[Call, ...]) -> Any:
    """It needs what the script has shared."""
    if shared.get_const(ROOT) < 0:
        stage.wrong(f"{key} was given a constant that nobody has set")
    return shared.get_const(CONST)


def mapped(key: str, children: tuple[Call, ...]) -> Any:
    """One map."""
    return combined(
        expect(c, r) for c, r in zip(children, futures.map(function_of(key), children), strict=True)
    )


def numbered(key: str, children: tuple[Call, ...]) -> Any:
    """Two maps, one of them of numbers to numbers: these travel as columns."""
    found = [expect(c, r) for c, r in zip(children, futures.map(node, children), strict=True)]
    numbers = numbers_of(key)
    for number, got in zip(numbers, futures.map(counted, numbers), strict=True):
        if got != worth(number):
            stage.wrong(f"{name_of(number)} was given {got}")
        found.append(got)
    return combined(found)


def counted(number: int) -> int | float | str:
    """Do little, or somewhat more, and return a number."""
    stage.begin(name_of(number))
    stage.work(number % 4 * (0.0002, 0.005)[number // 100 % 2])
    return worth(number)


def numbers_of(key: str) -> list[int]:
    """Return numbers that are nobody else's."""
    first = int(key.strip("k!")) * 100
    return list(range(first, first + 8 + zlib.crc32(key.encode()) % 40))


def name_of(number: int) -> str:
    """Return the key of a call with this number."""
    return f"n{number}"


def worth(number: int) -> int | float | str:
    """Return what a number's call returns: in one map of one form, in another of several."""
    several = number * 6 % 1_000 - number % 2 if number % 7 else str(number)
    return (number % 251, several, number / 7)[number // 100 % 3]


def key_of(arguments: tuple[Any, ...]) -> str:
    """Return the key of the call with these arguments."""
    first = arguments[0]
    return name_of(first) if isinstance(first, int) else str(first[0])


def collected(key: str, children: tuple[Call, ...]) -> Any:
    """One map that goes on when some fail, read as far ahead as its key says."""
    ahead = zlib.crc32(key.encode()) % 4 or None
    found = futures.map(function_of(key), children, on_error="collect", buffersize=ahead)
    return combined(outcome(c, r) for c, r in zip(children, found, strict=True))


def optioned(key: str, children: tuple[Call, ...]) -> Any:
    """Calls with options of their own, which the broker alone gives out: some go first."""
    each = []
    for child in children:
        call = options(function_of(key, child[0]), priority=zlib.crc32(child[0].encode()) % 3 - 1)
        each.append(futures.submit(call, *arguments_of(child)))
    return combined(gather(child, future) for child, future in zip(children, each, strict=True))


def limited(key: str, children: tuple[Call, ...]) -> Any:
    """Calls with time limits, which some of them overrun."""
    each = []
    for child in children:
        limit_s = limit_of(child)
        call = options(function_of(key, child[0]), time_limit=limit_s)
        each.append(futures.submit(call, *arguments_of(child)))
    return combined(gather(child, future) for child, future in zip(children, each, strict=True))


def limit_of(child: Call) -> float:
    """Return how many seconds a call may take: those that never end are given few."""
    if child[2] not in ENDLESS:
        return 10_000.0
    return SHORT[zlib.crc32(child[0].encode()) % 3]


def given_up(key: str, children: tuple[Call, ...]) -> Any:
    """Those that never end are given up: as one of them runs, before, or once it was taken away."""
    each = [futures.submit(function_of(key, c[0]), *arguments_of(c)) for c in children]
    dice = zlib.crc32(key.encode()) % 6
    stage.work(dice % 3 * 0.1)
    endless = [f for c, f in zip(children, each, strict=True) if c[2] in ENDLESS]
    for _ in range(dice % 2 * 60):
        if any(future.running() or future.done() for future in endless):
            break
        stage.work(0.05)
    for future in endless:
        if not future.cancel(subtree=True) and not isinstance(future.exception(), stage.Died):
            stage.wrong("what never ends is said to have ended")
    ends = [(c, f) for c, f in zip(children, each, strict=True) if f not in endless]
    return combined(gather(child, future) for child, future in ends)


def submitted(key: str, children: tuple[Call, ...]) -> Any:
    """One submit each, results in order."""
    each = [futures.submit(function_of(key, child[0]), *arguments_of(child)) for child in children]
    return combined(gather(child, future) for child, future in zip(children, each, strict=True))


def unordered(key: str, children: tuple[Call, ...]) -> Any:
    """One submit each, in another order each time that it runs: a set's."""
    salt = stage.another()
    shuffled = sorted(children, key=lambda child: zlib.crc32(f"{salt}{child[0]}".encode()))
    return submitted(key, tuple(shuffled))


def completed(key: str, children: tuple[Call, ...]) -> Any:
    """As they end; each brings another call about, so that submissions follow completions."""
    calls = {futures.submit(node, child): child for child in children}
    found, more = [], []
    for future in futures.as_completed(calls):
        child = calls[future]
        found.append(gather(child, future))
        follow = (child[0] + ".f", 0.5, "leaf", ())
        more.append((follow, futures.submit(node, follow)))
    found += [gather(follow, future) for follow, future in more]
    return combined(found)


def first(key: str, children: tuple[Call, ...]) -> Any:
    """Wait for the first, ask the others whether they are done, then take all."""
    calls = {futures.submit(node, child): child for child in children}
    _, others = futures.wait(calls, return_when=futures.FIRST_COMPLETED)
    for future in sorted(others, key=lambda f: calls[f][0]):
        while not future.done():
            stage.work(0.003)
    return combined(gather(child, future) for future, child in calls.items())


def impatient(key: str, children: tuple[Call, ...]) -> Any:
    """Wait with a limit, and be called back."""
    called: list[Any] = []
    found = []
    for child in children:
        future = futures.submit(node, child)
        future.add_done_callback(called.append)
        try:
            future.exception(timeout=0.004)
        except (TimeoutError, futures.TimeoutError):
            future.running()
        found.append(gather(child, future))
    return combined(found)


def cancelled(key: str, children: tuple[Call, ...]) -> Any:
    """Give every second child up; whether that came in time is nobody's business."""
    each = [(child, futures.submit(node, child)) for child in children]
    dice = zlib.crc32(key.encode()) % 6
    stage.work(dice * 0.002)  # some have begun,
    if dice % 2 and len(each) > 2:
        futures.wait([each[1][1]])  # and some are with a worker, in front of which others stand
    for child, future in each[::2]:
        if future.cancel():
            if not future.cancelled():
                stage.wrong(f"{child[0]} was cancelled and does not say so")
        else:
            gather(child, future)
    return combined(gather(child, future) for child, future in each[1::2])


def collapses(key: str, children: tuple[Call, ...]) -> Any:
    """It has children, takes their results, and fails."""
    submitted(key, children)
    raise Boom(key)


def generations(key: str, children: tuple[Call, ...]) -> Any:
    """Two maps, the second made of the first's results."""
    found = [expect(c, r) for c, r in zip(children, futures.map(node, children), strict=True)]
    after = tuple((f"{k}.g", 0.3, "leaf", ()) for k, _ in found)
    found += [expect(c, r) for c, r in zip(after, futures.map(node, after), strict=True)]
    return combined(found)


def saves(key: str, children: tuple[Call, ...]) -> Any:
    """Its state is saved after each child: run again, it goes on from there.

    One child after the other, or two at a time: then one is under way when the state is saved.
    """
    least = stage.saved()
    done, found = _state(checkpoint.load())
    stage.loaded(done, least)
    ahead = 2 if is_ahead(key) else 1
    under_way: list[Any] = []
    for place, child in enumerate(children[done:], done):
        for other in children[place + len(under_way) : place + ahead]:
            call = function_of(key, other[0]), *arguments_of(other)
            under_way.append(futures.submit(*call))
        found = (*found, gather(child, under_way.pop(0)))
        done += 1
        wait = zlib.crc32(child[0].encode()) % 2 == 0
        if checkpoint.save((done, found), every=0, wait=wait) and wait:
            stage.save(done)
    return combined(found)


def is_ahead(key: str) -> bool:
    """Does a parent of this key save its state while a child is under way?"""
    return zlib.crc32(key.encode()) % 2 == 1


def _state(loaded: Any) -> tuple[int, tuple[Any, ...]]:
    """Return how many parts are done, and what was found in them."""
    return loaded or (0, ())


def steps(key: str, children: tuple[Call, ...]) -> Any:
    """A durable step before each child: whoever runs this again gets the same values."""
    found = []
    for number, child in enumerate(children):
        stage.made(key, number, futures.once(stage.make, key, number))
        future = futures.submit(function_of(key, child[0]), *arguments_of(child))
        found.append(gather(child, future))
    return combined(found)


ENDLESS = ("hangs", "overruns")
SHORT = (0.05, 0.3, 2.0)  # time limits of those, in seconds

HOW: dict[str, Callable[[str, tuple[Call, ...]], Any]] = {
    "leaf": leaf, "deaf": deaf, "buffers": buffers, "raises": raises,
    "poison": poison, "poison-once": poison_once, "constant": constant,
    "mapped": mapped, "numbered": numbered, "collected": collected, "optioned": optioned,
    "submitted": submitted, "unordered": unordered, "completed": completed, "first": first,
    "impatient": impatient, "cancelled": cancelled, "generations": generations,
    "collapses": collapses, "saves": saves, "steps": steps, "hangs": hangs, "overruns": overruns,
    "limited": limited, "given-up": given_up,
}  # fmt: skip


def function_of(*keys: str) -> Callable[..., Any]:
    """Return what somebody calls: the edited function where he, or the call, was edited."""
    return edited_node if any(key.endswith("!") for key in keys) else node


def arguments_of(child: Call) -> tuple[Any, ...]:
    """Return what a call is called with: some have an argument with a buffer."""
    return (child, blob_of(child)) if child[2] == "buffers" else (child,)


def gather(child: Call, future: Any) -> Any:
    """Return a child's result, its exception or its loss, as a value."""
    try:
        got = future.result()
    except (Boom, TaskLost, stage.Died, futures.CancelledError) as error:
        got = error
    return outcome(child, got)


def outcome(child: Call, got: Any) -> Any:
    """Return what counts of a result, or of the exception in its place."""
    if isinstance(got, Boom):
        return "raised", str(got)
    if isinstance(got, (TaskLost, stage.Died)):
        return "lost", child[0]
    if isinstance(got, futures.CancelledError):
        stage.wrong(f"{child[0]} was cancelled by nobody")
        return "cancelled", child[0]
    return expect(child, got)


def expect(child: Call, got: Any) -> Any:
    """Check that a result is that of its task; return what counts of it."""
    if got[0] != child[0]:
        stage.wrong(f"{child[0]} was given the result of {got[0]}")
    return got[:2]


def combined(found: Iterable[Any]) -> int:
    """Make one value of many, whatever their order."""
    return zlib.crc32(repr(sorted(map(repr, found))).encode())


def script(program: Program, saving: bool = False) -> Any:
    """What the root runs; ``saving`` its state after each phase."""
    shared.set_const(**{CONST: 17, ROOT: stage.root()})
    least = stage.saved()
    done, found = _state(checkpoint.load() if saving else None)
    stage.loaded(done, least)
    for key, millis, how, children in program[done:]:
        stage.work(millis / 1000)
        found = (*found, (key, HOW[how](key, children)))
        done += 1
        if saving and checkpoint.save((done, found), every=0, wait=done % 2 == 0):
            stage.save(done if done % 2 == 0 else 0)
    return sorted(found)
