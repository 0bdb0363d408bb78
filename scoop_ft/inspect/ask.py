"""Asks a process of its own how recorded calls and results differ (see `values`).

It gets the environment of the run's processes, so that what is loaded looks as it did there.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

import msgspec

from ..launch import commands
from ..rundir import RunInfo
from .calls import Answer, Call
from .values import Difference, Pair, Question, Recorded

LIMIT_S = 120.0


def ask(info: RunInfo, pairs: Sequence[Pair]) -> list[Difference]:
    """Return how each pair differs; where nobody can tell, that is what the texts say."""
    if not pairs:
        return []
    question = msgspec.msgpack.encode(Question(info.script, info.args, list(pairs)))
    environment = commands.environment(info.seed, stdout_is_read=False)
    why = ""
    try:
        done = subprocess.run(
            commands.differences(),
            input=question,
            capture_output=True,
            env=environment,
            timeout=LIMIT_S,
            cwd=info.cwd if os.path.isdir(info.cwd) else None,
        )
        if done.returncode == 0:
            return msgspec.msgpack.decode(done.stdout, type=list[Difference])
        said = done.stderr.decode(errors="replace").strip().splitlines()
        why = said[-1] if said else f"exit code {done.returncode}"
    except subprocess.TimeoutExpired:
        why = f"not within {LIMIT_S:.0f} s"
    unknown = f"<cannot be loaded here: {why}>"
    return [Difference(False, unknown, unknown, []) for _ in pairs]


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
