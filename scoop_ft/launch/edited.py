"""Before a run is resumed: which functions were edited, how many results that concerns, what to do.

What functions mean now is asked of a process of its own (`code.check`); what shall be done is asked
of the user.  The answer goes to the broker in a file.  Nothing is changed in the journal here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..code.check import GONE, REWRITTEN, Answer, Question
from ..errors import RunError
from ..ids import digest
from ..inspect.wording import first, number
from ..rundir import RunDir, RunInfo, write_atomically
from . import commands, moved
from .surround import around

if TYPE_CHECKING:
    from ..broker.offline import Function

STATE: Final = (
    "the script's saved state was made with the code of before, and is kept in any case: "
    "start a new run to compute it anew"
)
MEND: Final = "\nmend it, or go on with the code as it was: --recorded-code"
NAMED: Final = 3  # functions, or files, that are named in one line


class Edited(NamedTuple):
    """A function that means something else than it did."""

    function: Function
    code: bytes
    sources: list[tuple[str, int, int]]

    @property
    def concerns(self) -> bool:
        """Has it results, or tasks that have saved their state on their way?"""
        return bool(self.function.results or self.function.checkpoints)

    @property
    def says(self) -> str:
        """What people are told of it."""
        how = "is gone" if self.code == GONE else "was edited"
        more = ""
        if self.code == REWRITTEN:
            more = ": it has no name to be found by, so they are computed again in any case"
        what = number(self.function.results, "result")
        if count := self.function.checkpoints:
            what += f", {number(count, 'task')} with a saved state"
        return f"{self.function.name} {how} ({what}){more}"


def survey(directory: RunDir, *, unsafe_filesystem: bool) -> tuple[dict[str, Any], list[Function]]:
    """Return what the journal of a run says of it, and of the functions it has called.

    A run whose broker never came to make a journal has done nothing.

    Raises
    ------
    RunError
        The journal cannot be read, or it is gone: all would be computed anew without a word.
    """
    if not directory.has_journal():
        nothing = {"tasks": {}, "state": "interrupted", "exit_code": None, "journal": {"bytes": 0}}
        return {**nothing, "blank": True}, []
    from scoop_journal import JournalError

    from ..broker import offline

    try:
        return offline.survey(directory.journal, unsafe_filesystem=unsafe_filesystem)
    except JournalError as error:
        raise RunError(str(error)) from error


def settle(
    directory: RunDir, info: RunInfo, functions: Sequence[Function], choice: str | None,
    *, saved: bool,
) -> int:  # fmt: skip
    """Find out what was edited, and leave to the broker what shall be done about it.

    Returns how many recorded results are computed again for it.

    Parameters
    ----------
    directory : RunDir
        The run.
    info : RunInfo
        How it is started now.
    functions : sequence of Function
        What it has called.
    choice : str or None
        ``"redo"`` or ``"keep"``; None: ask, where there is somebody to answer.
    saved : bool
        The script has saved its state: that, too, was made with what functions meant before.

    Raises
    ------
    RunError
        Functions with results were edited and nobody said what to do, or the user's code cannot be
        imported.  Nothing was changed.
    """
    from ..broker.records import Edit

    if info.recorded_code:  # the code is that of before, whatever is on the disk
        _leave(directory, [])
        return 0
    before = directory.info()
    as_before = (info.args, info.cwd, info.seed) == (before.args, before.cwd, before.seed)
    # What the journal holds is what was run: nothing of it was edited.
    edited = find(directory, info, functions, as_before=as_before)
    concerned = _tell(edited, saved=saved)
    if concerned:
        choice = choice or _ask(concerned)
    edits = [
        Edit(
            one.function.digest,
            one.code,
            around(info.surroundings).version,
            choice == "redo" and one in concerned,
            one.sources,
        )
        for one in edited
    ]
    _leave(directory, edits)
    return sum(one.function.results for one in concerned) if choice == "redo" else 0


def files(found: dict[str, Any]) -> list[str]:
    """Return the files that are not as the run has run them last; those that are gone are none.

    For a run that is finished: nothing is imported, so a comment is an edit, too.
    """
    return [path for path, recorded in found.get("files", {}).items() if _differs(path, recorded)]


def _differs(path: str, recorded: bytes) -> bool:
    try:
        with open(path, "rb") as file:
            return digest(file.read()) != recorded
    except OSError:
        return False


def mention(directory: RunDir) -> None:
    """Say which functions were edited; for ``resume --dry-run``."""
    info = moved.to_look(directory)
    if info.recorded_code or moved.is_gone(info):
        return
    found, functions = survey(directory, unsafe_filesystem=info.unsafe_filesystem)
    saved = bool(found.get("saved"))
    edited = find(directory, info, functions, as_before=True)
    more = ": 'scoop-ft resume' asks whether to keep or redo"
    if found["state"] == "done" and not found["tasks"].get("failed"):
        more = ": 'scoop-ft resume --redo-changed' computes them again"
    _tell(edited, saved=saved, more=more)


def _tell(edited: Sequence[Edited], *, saved: bool, more: str = "") -> list[Edited]:
    """Say which edits concern something that is recorded; return these."""
    concerned = [one for one in edited if one.concerns or saved]
    for one in concerned:
        _say(one.says + more)
    if concerned and saved:
        _say(STATE)
    return concerned


def find(
    directory: RunDir, info: RunInfo, functions: Sequence[Function], *, as_before: bool
) -> list[Edited]:
    """Return the functions that mean something else now than when they were recorded.

    ``as_before``: the script is started as it was; then nothing has changed if no file has.
    """
    pythons = {one.code.python for one in functions if one.results or one.checkpoints}
    here = around(info.surroundings).version
    other = sorted(pythons - {here})
    if other:
        _say(
            "cannot compare whether functions were edited: the run was recorded with Python "
            f"{' and '.join(other)}, this is {here}"
        )
    if functions and moved.is_gone(info):
        _say(f"cannot compare whether functions were edited: there is no script {info.script}")
        return []
    comparable = [one for one in functions if one.code.python == here]
    if as_before and not _changed_files(comparable):
        return []
    codes = _ask_process(directory, info, comparable)
    return [
        Edited(one, code, sources or one.code.sources)
        for one, (code, sources) in zip(comparable, codes, strict=True)
        if code and code != one.code.digest
    ]


def _changed_files(functions: Sequence[Function]) -> bool:
    """Tell whether a file that functions were read from is not as it was, or may not be."""
    for path, changed_ns, size in {source for one in functions for source in one.code.sources}:
        try:
            status = os.stat(path)
        except OSError:
            return True
        if (status.st_mtime_ns, status.st_size) != (changed_ns, size):
            return True
    return False


def _ask_process(
    directory: RunDir, info: RunInfo, functions: Sequence[Function]
) -> list[tuple[bytes, list[tuple[str, int, int]]]]:
    """Return what functions mean now, as a worker would find them, and their sources."""
    import msgspec

    question = Question(info.script, info.args, [one.blob for one in functions])
    here = around(info.surroundings)
    done = subprocess.run(
        here.command(commands.code_check(directory)),
        input=msgspec.msgpack.encode(question),
        capture_output=True,
        cwd=info.cwd,
        env=here.environment(commands.environment(info.seed, stdout_is_read=False, info=info)),
        check=False,
    )
    try:
        answer = msgspec.msgpack.decode(done.stdout, type=Answer)
    except msgspec.MsgspecError:
        last = done.stderr.decode(errors="replace").strip()
        raise RunError(
            f"cannot find out whether functions were edited: importing {info.script} ended the "
            f"process (exit code {done.returncode})" + (f":\n{last}" if last else "")
        ) from None
    if answer.error:
        raise RunError(f"{answer.error}{MEND}")
    return answer.codes


def _ask(concerned: Sequence[Edited]) -> str:
    """Return what the user wants, "redo" or "keep"."""
    names = first([one.function.name for one in concerned], NAMED)
    stopped = RunError(
        f"what {names} had computed may be stale: resume with "
        "--redo-changed to compute them again, or with --keep-results to keep them; "
        "--recorded-code goes on with the code as it was"
    )
    if not (os.isatty(0) and os.isatty(2)):
        raise stopped
    import click

    answer: str = click.prompt(
        "scoop-ft: compute their results again, keep them, or stop?",
        type=click.Choice(["redo", "keep", "stop"]),
        default="stop",
        err=True,
    )
    if answer == "stop":
        raise stopped
    return answer


def _leave(directory: RunDir, edits: Sequence[Any]) -> None:
    """Leave the decision where the broker reads it; it may be started more than once."""
    import msgspec

    if edits:
        write_atomically(directory.edits_json, msgspec.json.encode(edits), sync=True)
    else:
        directory.edits_json.unlink(missing_ok=True)


def _say(text: str) -> None:
    print(f"scoop-ft: {text}", file=sys.stderr, flush=True)
