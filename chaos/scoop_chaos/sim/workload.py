"""Made-up programs: trees of tasks that use the library as people do, and can be run serially.

A call is a plain tuple, so that it is its own description: a key, milliseconds of work, how it goes
about its children, and these.  The functions are ordinary tasks; run without a run they give the
serial answer.  What they do to the world (begin, work, die) goes through `stage`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from pickle import PickleBuffer
from random import Random
from typing import Any

from scoop_ft import checkpoint, futures, shared
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


def submitted(key: str, children: tuple[Call, ...]) -> Any:
    """One submit each, results in order."""
    each = [futures.submit(function_of(key, child[0]), *arguments_of(child)) for child in children]
    return combined(gather(child, future) for child, future in zip(children, each, strict=True))


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
    ahead = 2 if _is_ahead(key) else 1
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


def _is_ahead(key: str) -> bool:
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


HOW: dict[str, Callable[[str, tuple[Call, ...]], Any]] = {
    "leaf": leaf, "deaf": deaf, "buffers": buffers, "raises": raises,
    "poison": poison, "poison-once": poison_once, "constant": constant,
    "mapped": mapped, "submitted": submitted, "completed": completed, "first": first,
    "impatient": impatient, "cancelled": cancelled, "generations": generations,
    "collapses": collapses, "saves": saves, "steps": steps,
}  # fmt: skip
PARENTS = ("mapped", "submitted", "completed", "first", "impatient", "cancelled", "generations")
STRICT = ("mapped", "generations")  # their children must not fail


def function_of(*keys: str) -> Callable[..., Any]:
    """Return what somebody calls: the edited function where he, or the call, was edited."""
    return edited_node if any(key.endswith("!") for key in keys) else node


def arguments_of(child: Call) -> tuple[Any, ...]:
    """Return what a call is called with: some have an argument with a buffer."""
    return (child, blob_of(child)) if child[2] == "buffers" else (child,)


def gather(child: Call, future: Any) -> Any:
    """Return a child's result, its exception or its loss, as a value."""
    try:
        return expect(child, future.result())
    except Boom as error:
        return "raised", str(error)
    except (TaskLost, stage.Died):
        return "lost", child[0]
    except futures.CancelledError:
        stage.wrong(f"{child[0]} was cancelled by nobody")
        return "cancelled", child[0]


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


# ---- making them up ----------------------------------------------------------------------------


class Author:
    """Writes programs of about so many tasks."""

    def __init__(self, rng: Random, tasks: int, *, poison: bool, millis: float) -> None:
        self._rng = rng
        self._left = tasks
        self._poison = poison
        self._millis = millis
        self.keys = 0

    def program(self) -> Program:
        """Return a program of some phases."""
        rng = self._rng
        phases: list[Call] = []
        while self._left > 0 and len(phases) < 4:
            how = rng.choice(PARENTS)
            phases.append((self._key(), self._time() / 4, how, self._children(how, 2)))
        return tuple(phases)

    def _children(self, how: str, depth: int) -> tuple[Call, ...]:
        rng = self._rng
        children: list[Call] = []
        for _ in range(rng.choice((1, 2, 3, 3, 4, 8))):
            if self._left <= 0 and children:
                break
            self._left -= 1
            children.append(self._call(depth, strict=how in STRICT))
        if len(children) > 1 and rng.random() < 0.1 and how not in ("completed", "cancelled"):
            children.append(children[0])  # the same call again is another task
        return tuple(children)

    def _call(self, depth: int, *, strict: bool) -> Call:
        rng = self._rng
        key, millis = self._key(), self._time()
        dice = rng.random()
        if depth and self._left > 0 and dice < 0.3:
            how = rng.choice(PARENTS if strict else (*PARENTS, "collapses"))
            return key, millis, how, self._children(how, depth - 1)
        if self._poison and not strict and dice < 0.4:
            return key, millis, rng.choice(("poison", "poison-once")), ()
        if not strict and dice < 0.5:
            return key, millis, "raises", ()
        others = ((0.92, "constant"), (0.84, "buffers"), (0.78, "deaf"), (0.0, "leaf"))
        how = next(how for least, how in others if dice > least)
        return key, millis, how, ()

    def _key(self) -> str:
        self.keys += 1
        return f"k{self.keys}"

    def _time(self) -> float:
        return self._millis * self._rng.choice((0.0, 0.1, 0.5, 1.0, 1.0, 4.0))


def keeping(program: Program, rng: Random) -> Program:
    """Let some of the tasks that have children save their state, or make durable steps."""
    return tuple(
        (k, m, rng.choice((how, how, "steps")), _keeping(children, rng))
        for k, m, how, children in program
    )


def _keeping(calls: tuple[Call, ...], rng: Random) -> tuple[Call, ...]:
    found = []
    for key, millis, how, children in calls:
        if children and how != "collapses" and rng.random() < 0.9:
            how = rng.choice(("saves", "steps"))
        found.append((key, millis, how, _keeping(children, rng)))
    return tuple(found)


def edit(program: Program, rng: Random) -> Program:
    """Change one call, or the code that a phase calls: somebody has edited the script."""
    phases = list(program)
    at = rng.randrange(len(phases))
    key, millis, how, children = phases[at]
    if rng.random() < 0.5:
        phases[at] = (key + "!", millis, how, children)
        return tuple(phases)
    place = rng.randrange(len(children))
    old = children[place]
    new = (old[0] + "!", *old[1:])
    phases[at] = (key, millis, how, (*children[:place], new, *children[place + 1 :]))
    return tuple(phases)


def reorder(program: Program, rng: Random) -> Program:
    """Do the same in another order: a set's, or that of a dictionary's keys."""
    phases = [(k, m, how, tuple(rng.sample(c, len(c)))) for k, m, how, c in program]
    if rng.random() < 0.5:
        rng.shuffle(phases)
    return tuple(phases)


def keys(program: Program) -> list[str]:
    """Return the keys of all calls of a program, each once."""
    found: dict[str, None] = {}
    for key, _, _, children in program:
        found[key] = None
        found.update(dict.fromkeys(keys(children)))
    return list(found)


def work_of_deaths_s(program: Program, attempts: int) -> float:
    """Return how long one worker works for nothing, at most, because of what kills it."""
    calls = list(_calls(program))
    deaths = sum({"poison": attempts, "poison-once": 1}.get(how, 0) for _, _, how, _ in calls)
    return deaths * sum(millis for _, millis, _, _ in calls) / 1000


def _calls(program: Program) -> Iterator[Call]:
    for call in program:
        yield call
        yield from _calls(call[3])


def submitted_ahead(calls: Iterable[Call]) -> set[str]:
    """Return the keys of the children that may have ended while their parent saves its state.

    That state holds nothing of their results: run again, the parent asks for them anew.
    """
    found: set[str] = set()
    for key, _, how, children in calls:
        found |= submitted_ahead(children)
        if how == "saves" and _is_ahead(key):
            found.update(child[0] for child in children)
    return found


def without(program: Program, keys: Collection[str]) -> Program:
    """Leave calls out, and what is left without children; to make what fails small."""
    if not keys:
        return program
    phases = (_without(phase, keys) for phase in program if phase[0] not in keys)
    return tuple(phase for phase in phases if phase[3])


def _without(call: Call, keys: Collection[str]) -> Call:
    key, millis, how, children = call
    kept = tuple(_without(child, keys) for child in children if child[0] not in keys)
    return key, millis, how if kept or not children else "leaf", kept
