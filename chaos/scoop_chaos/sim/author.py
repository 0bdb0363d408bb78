"""Makes programs up, and changes them: edited, in another order, smaller.

Only draws and rewrites descriptions; what they mean is the business of `workload`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from random import Random

from .workload import Call, Program, is_ahead

PARENTS = ("mapped", "submitted", "completed", "first", "impatient", "cancelled", "generations")
SUBMITTING = ("submitted", "completed", "first", "impatient")
STRICT = ("mapped", "generations", "numbered")  # their children must not fail


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


def collecting(program: Program, rng: Random) -> Program:
    """Let some of those that submit calls map them, or give them options."""
    found = []
    for key, millis, how, children in program:
        if how in SUBMITTING:
            how = rng.choice((how, how, "collected", "collected", "optioned"))
        found.append((key, millis, how, collecting(children, rng)))
    return tuple(found)


def numbering(program: Program, rng: Random) -> Program:
    """Let some of those that map calls map numbers, too."""
    found = []
    for key, millis, how, children in program:
        if how == "mapped" and rng.random() < 0.5:
            how = "numbered"
        found.append((key, millis, how, numbering(children, rng)))
    return tuple(found)


def unordered(program: Program, rng: Random) -> Program:
    """Let some of those that submit calls do so in another order each time that they run."""
    found = []
    for key, millis, how, children in program:
        if how in ("mapped", *SUBMITTING) and rng.random() < 0.6:
            how = "unordered"
        found.append((key, millis, how, unordered(children, rng)))
    return tuple(found)


def hanging(program: Program, rng: Random, *, giving_up: bool) -> Program:
    """Give a phase calls that never end: they have time limits, or are given up."""
    phases = list(program)
    places = [at for at, phase in enumerate(phases) if phase[2] in SUBMITTING]
    if not places:
        return program
    at = rng.choice(places)
    key, millis, _, children = phases[at]
    count = rng.choice((1, 2, 5) if giving_up else (1, 2))  # there are no more workers than 5
    endless: list[Call] = [(f"{key}h{number}", millis, "hangs", ()) for number in range(count)]
    if not giving_up and rng.random() < 0.5:
        endless[0] = (f"{key}o", millis, "overruns", (endless[0],))
    more = (*children, *endless)
    how = "given-up" if giving_up else "limited"
    phases[at] = (key, millis, how, tuple(rng.sample(more, len(more))))
    return tuple(phases)


def widen(program: Program, rng: Random) -> Program:
    """Give one phase many short calls: several go together, there and back."""
    phases = list(program)
    at = rng.randrange(len(phases))
    key, millis, how, children = phases[at]
    kinds = ("leaf",) if how in STRICT else ("leaf", "leaf", "leaf", "raises")
    more = tuple(
        (f"{key}w{number}", rng.choice((0.0, 0.05, 0.2)), rng.choice(kinds), ())
        for number in range(rng.choice((6, 12, 24)))
    )
    phases[at] = (key, millis, how, (*children, *more))
    return tuple(phases)


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
    deaths_of = {"poison": attempts, "poison-once": 1, "hangs": 1, "overruns": 1}
    deaths = sum(deaths_of.get(how, 0) for _, _, how, _ in calls)
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
        if how == "saves" and is_ahead(key):
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
