"""Two rounds side by side: which of the script's calls are the same, and which results differ.

Calls are matched by ordinal, then by content (a script may submit in the order of completion).
Only digests are looked at.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field

from .table import Row, Table


@dataclass
class Comparison:
    """How a round compares with the undisturbed one.

    Attributes
    ----------
    moved : int
        Calls that are the same in both, at different ordinals.
    results : list of (int, int)
        Ordinals (undisturbed, here) of equal calls whose results differ in bytes.
    compared : dict
        By function name, how many equal calls have a result in both.
    calls : list of (int, int)
        Ordinals of calls that differ: the same ordinal, other function or arguments.
    missing, extra : list of int
        Ordinals of calls only the undisturbed round has, only this one has, besides those.
    consts : list of str
        Shared constants whose last values differ.
    """

    moved: int = 0
    results: list[tuple[int, int]] = field(default_factory=list)
    compared: dict[str, int] = field(default_factory=dict)
    calls: list[tuple[int, int]] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    extra: list[int] = field(default_factory=list)
    consts: list[str] = field(default_factory=list)


def compare(first: Table, other: Table) -> Comparison:
    """Compare a round's tasks with those of the undisturbed one."""
    found = Comparison()
    rest_first: dict[int, Row] = {}
    for ordinal, row in first.rows.items():
        there = other.rows.get(ordinal)
        if there is not None and there.call == row.call:
            _results(found, ordinal, row, ordinal, there)
        else:
            rest_first[ordinal] = row
    rest_other = {
        ordinal: row
        for ordinal, row in other.rows.items()
        if ordinal in rest_first or ordinal not in first.rows
    }
    _by_content(found, rest_first, rest_other)
    found.calls = [(ordinal, ordinal) for ordinal in rest_first if ordinal in rest_other]
    found.missing = [ordinal for ordinal in rest_first if ordinal not in rest_other]
    found.extra = [ordinal for ordinal in rest_other if ordinal not in rest_first]
    keys = first.consts.keys() | other.consts.keys()
    found.consts = sorted(k for k in keys if first.consts.get(k) != other.consts.get(k))
    return found


def _by_content(found: Comparison, rest_first: dict[int, Row], rest_other: dict[int, Row]) -> None:
    """Match equal calls at different ordinals, and take them out of the rest."""
    places: dict[bytes, deque[int]] = defaultdict(deque)
    for ordinal, row in rest_other.items():
        places[row.call].append(ordinal)
    for ordinal, row in list(rest_first.items()):
        if places[row.call]:
            there = places[row.call].popleft()
            found.moved += 1
            _results(found, ordinal, row, there, rest_other.pop(there))
            del rest_first[ordinal]


def _results(found: Comparison, a: int, row: Row, b: int, there: Row) -> None:
    if row.result and there.result:
        found.compared[row.name] = found.compared.get(row.name, 0) + 1
        if row.result != there.result:
            found.results.append((a, b))
