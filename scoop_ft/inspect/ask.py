"""Questions about calls and results of a journal, put to the process that loads them."""

from __future__ import annotations

from collections.abc import Sequence

from ..rundir import RunInfo
from .calls import Answer, Call
from .loader import Loader
from .questions import Difference, Pair, Recorded


def differences(info: RunInfo, pairs: Sequence[Pair]) -> list[Difference]:
    """Return how each pair differs; where nobody can tell, that is what the texts say."""
    with Loader(info, by_the_way=True) as loader:
        return loader.compare(pairs)


def calls(old: Call, new: Call | None = None) -> Pair:
    """Make a question of two calls, or of how one looks."""
    return Pair(_call(old), _call(new) if new is not None else None)


def answers(old: Answer, new: Answer) -> Pair:
    """Make a question of two results."""
    return Pair(_answer(old), _answer(new))


def _call(call: Call) -> Recorded:
    return Recorded(call.payload, call.buffers, call.function)


def _answer(answer: Answer) -> Recorded:
    return Recorded(answer.payload, answer.buffers, status=answer.status)
