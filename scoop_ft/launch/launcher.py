"""``scoop-ft run`` and ``scoop-ft resume``: check, prepare the run directory, supervise, conclude.

All that can be refused is refused here, before anything is changed on disk or started.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ..errors import RunError
from ..inspect.wording import first
from ..rundir import DEFAULT_MAX_ATTEMPTS, PARENT, RunDir, RunInfo, new_run_id
from . import edited, growth, listening, moved
from .hosts import settle
from .lock import RunLock
from .processes import usable_cores
from .startable import check_script
from .supervisor import Supervisor
from .surround import NOTHING_ASKED, Asked, around, as_scoop, surroundings, surroundings_again

SCRIPT: Final = "__main__"  # what the journal calls the script
LOG_LINES: Final = 12
LAST_OUTPUT_S: Final = 1.0  # for a terminal that stands still, when the user wants to leave


@dataclass(frozen=True)
class Options:
    """What the command line says; None where it does not."""

    workers: int | None = None
    seed: int | None = None
    cwd: str | None = None
    max_attempts: int | None = None
    listen: str | None = None
    unsafe_filesystem: bool = False
    stop_after: float | None = None
    edits: str | None = None  # what to do about edited functions: "redo" or "keep"
    on_divergence: str | None = None
    quiet: bool = False
    verbose: bool = False
    journal_limit: int | None = None
    durability: str | None = None
    keep_failed: bool = False
    recorded_code: bool | None = None
    asked: Asked = NOTHING_ASKED
    machines: settle.Said = field(default_factory=settle.Said)
    max_tasks_per_worker: int | None = None
    max_memory_per_worker: int | None = None
    resources: dict[str, int] | None = None


def run(script: str, args: list[str], run_dir: str | None, options: Options) -> int:
    """Start a new run of a script; return the exit code."""
    path = check_script(script)
    now = time.time()
    info = RunInfo(
        run=new_run_id(now),
        script=path,
        args=args,
        cwd=os.getcwd(),
        seed=int.from_bytes(os.urandom(4), "little") if options.seed is None else options.seed,
        workers=options.workers or usable_cores(),
        python=sys.executable,
        created=now,
        max_attempts=options.max_attempts or DEFAULT_MAX_ATTEMPTS,
        path=os.path.dirname(os.path.realpath(path)),
        listen=options.listen or "",
        unsafe_filesystem=options.unsafe_filesystem,
        seeded=options.seed is not None,
        on_divergence=options.on_divergence or "recompute",
        durability=options.durability or "synced",
        max_tasks_per_worker=options.max_tasks_per_worker or 0,
        max_memory_per_worker=options.max_memory_per_worker or 0,
        resources=options.resources or {},
    )
    if options.journal_limit is not None:
        info.journal_limit = options.journal_limit
    said = settle.with_asked(options.machines, options.asked)
    _say_all(settle.settle(info, said, options.workers))
    _surround(info, script, options)
    listening.check(info.listen)
    directory = RunDir(run_dir if run_dir is not None else Path(PARENT, info.run))
    made_here = not directory.path.exists()
    directory.create(info)
    lock = RunLock(directory)
    lock.acquire()
    try:
        supervisor = _supervise(directory, info, options, None)
        if in_vain := _in_vain(directory, info, supervisor):
            _remove(directory, lock, itself=made_here)
        else:
            _give_back(directory, info, supervisor, options)
    finally:
        lock.release()
    return _conclude(directory, supervisor, quiet=options.quiet, left=not in_vain)


def _in_vain(directory: RunDir, info: RunInfo, supervisor: Supervisor) -> bool:
    """Has the start failed, so that nothing was done that a resume could use?

    Such a run would stand before those that have results when one is resumed without its name.
    """
    if supervisor.gave_up is None or not supervisor.gave_up.at_start:
        return False
    if supervisor.host.agent.welcome is None:  # there never was a broker
        return True
    try:
        found = journal_summary(directory, unsafe_filesystem=info.unsafe_filesystem)
    except RunError:
        return False
    return not (found["tasks"].get("done") or found["tasks"].get("failed") or found.get("kept"))


def _remove(directory: RunDir, lock: RunLock, *, itself: bool) -> None:
    """Remove a run that has come to nothing; what its broker has said last is shown."""
    import shutil

    try:
        log = directory.log("broker").read_text(errors="replace").splitlines()
    except OSError:
        log = []
    if log and "Traceback" in "\n".join(log):
        _say("the last lines of the broker's log:\n  " + "\n  ".join(log[-LOG_LINES:]))
    directory.run_json.unlink(missing_ok=True)  # nobody goes on with it from here
    lock.release()  # on NFS, or in user space, a file that is open stays under another name
    shutil.rmtree(directory.path, ignore_errors=True)
    if not itself:
        directory.path.mkdir(mode=0o700)


def _surround(info: RunInfo, script: str, options: Options) -> None:
    """Record what the run's processes are surrounded by, once it is clear that it can be had."""
    info.surroundings = surroundings(settle.asked_here(info, options.asked))
    info.python = around(info.surroundings).python
    info.scoop = as_scoop(
        options.asked, script, settle.workers_in_all(info), quiet=options.quiet,
        verbose=options.verbose,
    )  # fmt: skip


def resume(directory: RunDir, args: list[str] | None, options: Options) -> int:
    """Go on with a run; return the exit code.

    Parameters
    ----------
    directory : RunDir
        The run.
    args : list of str or None
        The script's arguments, when they shall be others than before.
    options : Options
        What shall be other than before.
    """
    info = directory.info()
    if not os.access(directory.path, os.W_OK):
        raise RunError(f"the run directory {directory.path} cannot be written to")
    lock = RunLock(directory)
    lock.acquire()
    try:
        unsafe = info.unsafe_filesystem or options.unsafe_filesystem
        found, functions = edited.survey(directory, unsafe_filesystem=unsafe)
        if found["state"] == "done" and not _has_more(found, info, args, options):
            directory.drop_endpoint()  # its launcher may have been killed after that
            print(f"scoop-ft: run {info.run} is finished: {counts(found)}", file=sys.stderr)
            if unused := _unused(options):
                _say(f"nothing was left to do, so {' and '.join(unused)} changed nothing")
            _mention_edits(directory, info, found)
            return 0
        changed = _followed(directory, info, _changed(info, args, options), options)
        _check_code(directory, changed, found.get("sources", []))
        if not os.path.isdir(changed.cwd):
            raise RunError(f"there is no folder {changed.cwd} to run in: name one with --cwd")
        listening.check(changed.listen, recorded=options.listen is None)
        again = edited.settle(
            directory, changed, functions, options.edits, saved=bool(found.get("saved"))
        )
        if changed != info:
            directory.save_info(changed)
        if not options.quiet:
            code = ", with the recorded code" if changed.recorded_code else ""
            more = f", {again:,} to be computed again" if again else ""
            script = os.path.basename(changed.script)
            _say(f"resuming {info.run} ({script}){code}: {counts(found)}{more}")
        growth.give_back(directory, changed, _note(options))
        if changed.python == sys.executable:
            _warn_of_versions(found.get("environment"))
        done = found["tasks"].get("done", 0) - again
        supervisor = _supervise(directory, changed, options, max(0, done))
        _give_back(directory, changed, supervisor, options)
    finally:
        lock.release()
    return _conclude(directory, supervisor, quiet=options.quiet)


def _has_more(
    found: dict[str, Any], info: RunInfo, args: list[str] | None, options: Options
) -> bool:
    """Is there something to do in a run whose script has ended?

    Tasks that failed, results to be computed again, or other arguments for the script.
    """
    failed = bool(found["tasks"].get("failed")) and not options.keep_failed
    return failed or options.edits == "redo" or (args is not None and args != info.args)


def _mention_edits(directory: RunDir, info: RunInfo, found: dict[str, Any]) -> None:
    """Say that a finished run's files were edited since: who has done so may expect it to run."""
    files = [] if info.recorded_code or not info.script else edited.files(found)
    if files:
        names = first([os.path.basename(path) for path in files], edited.NAMED)
        _say(
            f"{names} {'were' if len(files) > 1 else 'was'} edited since; to run the script again, "
            "and compute what is new or changed by that: "
            f"{resume_command(directory)} --redo-changed"
        )


def _unused(options: Options) -> list[str]:
    """Return the options that would have changed what is computed."""
    code = {True: "--recorded-code", False: "--code-on-disk"}
    seed = [] if options.seed is None else ["--seed"]
    return seed + ([] if options.recorded_code is None else [code[options.recorded_code]])


def _changed(info: RunInfo, args: list[str] | None, options: Options) -> RunInfo:
    import msgspec

    changed = msgspec.structs.replace(info, stale_results=options.edits or "")
    if args is not None:
        changed.args = args
    names = (
        "workers", "seed", "max_attempts", "listen", "journal_limit", "recorded_code",
        "on_divergence", "durability", "max_tasks_per_worker", "max_memory_per_worker", "resources",
    )  # fmt: skip
    for name in names:
        value = getattr(options, name)
        if value is not None:
            setattr(changed, name, value)
    if options.cwd is not None:
        changed.cwd = os.path.abspath(options.cwd)
    changed.seeded = info.seeded or options.seed is not None
    changed.unsafe_filesystem = info.unsafe_filesystem or options.unsafe_filesystem
    said = settle.with_asked(options.machines, options.asked)
    _say_all(settle.settle(changed, said, options.workers))
    asked = settle.asked_here(changed, options.asked)
    changed.surroundings = surroundings_again(info.surroundings, asked)
    changed.python = around(changed.surroundings).python
    return changed


def _followed(directory: RunDir, info: RunInfo, changed: RunInfo, options: Options) -> RunInfo:
    """Go on with the script where it is now, if its folder was moved since."""
    folder = moved.holder(directory) if options.cwd is None else Path(options.cwd)
    now = moved.followed(info, folder)
    if now.script == info.script:
        return changed
    if not changed.recorded_code:
        _say(f"{info.script} is gone: going on with {now.script}")
    changed.cwd, changed.script, changed.path = now.cwd, now.script, now.path
    return changed


def _check_code(directory: RunDir, info: RunInfo, recorded: list[str]) -> None:
    """Say what is missing where the script that is to be run is not there."""
    if not info.script:
        raise RunError(
            "this run has no script: the program that made it goes on with it by "
            f"Executor(run_dir={directory.called!r}), "
            f"or 'scoop-ft serve {directory.called}' serves it"
        )
    if not info.recorded_code:
        if not os.path.exists(info.script) and SCRIPT in recorded:
            raise RunError(
                f"there is no script {info.script} any more: if its folder was moved, name that "
                f"with --cwd; to go on with the recorded copy: {_recorded(directory)}"
            )
        check_script(info.script)
    elif SCRIPT not in recorded:
        raise RunError(
            "the journal of this run holds no code (it was not begun, or by an older version): "
            f"{resume_command(directory)} --code-on-disk"
        )


def _recorded(directory: RunDir) -> str:
    """Return the command that goes on with the recorded code, in a folder that is there."""
    command = f"{resume_command(directory)} --recorded-code"
    return command if os.path.isdir(directory.info().cwd) else f"{command} --cwd ."


def _warn_of_versions(recorded: dict[str, Any] | None) -> None:
    if recorded is not None:
        from .versions import warning

        text = warning(recorded)
        if text:
            _say(text)


def _supervise(
    directory: RunDir, info: RunInfo, options: Options, done_before: int | None
) -> Supervisor:
    """Start everything and stay until all of it has ended."""
    if info.listen or info.machines:
        directory.make_keys()
    if info.machines:
        settle.choose_listen(info)
        directory.save_info(info)
    directory.choose_endpoint()
    _clear_slates(directory)
    supervisor = Supervisor(
        directory, info, done_before=done_before, quiet=options.quiet, verbose=options.verbose,
        keep_failed=options.keep_failed, stop_after_s=options.stop_after,
    )  # fmt: skip
    if options.verbose:
        supervisor.screen.say(f"run {info.run} in {directory.path}, seed {info.seed}")
    try:
        supervisor.main()
    finally:
        if info.surroundings.profile:
            supervisor.screen.say(f"profiles are in {directory.path / 'profile'}: python -m pstats")
        directory.clear_live()
        directory.drop_endpoint()
        if not options.quiet and supervisor.progress.figures.submitted:
            supervisor.screen.say(supervisor.progress.last(time.monotonic()))
        for line in _departed(directory, supervisor):
            supervisor.screen.say(line)
        supervisor.screen.close(LAST_OUTPUT_S if supervisor.stopped else None)
    return supervisor


def _departed(directory: RunDir, supervisor: Supervisor) -> list[str]:
    """Return lines about calls that were not the recorded ones."""
    stats = supervisor.host.agent.stats
    if not stats.get("mismatches"):
        return []
    from ..inspect.wording import departed

    return departed(directory.called, stats["mismatches"], stats.get("divergences", []))


def _clear_slates(directory: RunDir) -> None:
    """Remove what workers of a launcher that was killed left behind."""
    directory.slates.mkdir(mode=0o700, exist_ok=True)
    directory.logs.mkdir(mode=0o700, exist_ok=True)
    for slate in directory.slates.iterdir():
        slate.unlink(missing_ok=True)


def _conclude(directory: RunDir, supervisor: Supervisor, *, quiet: bool, left: bool = True) -> int:
    """Say how to go on where something is left to go on with; return the exit code."""
    gone = directory.gone()
    if supervisor.gave_up is not None:
        text = supervisor.gave_up.text
        never_up = supervisor.gave_up.at_start and supervisor.host.agent.welcome is None
        if left and not never_up and not gone:
            text += f"; go on with: {resume_command(directory)}"
        raise RunError(text, supervisor.gave_up.exit_code)
    if supervisor.stopped is not None:
        next_step = gone or f"go on with: {resume_command(directory)}"
        _say(f"{supervisor.stopped.words}; {next_step}")
    elif supervisor.progress.figures.done and not gone and not quiet:
        stats = supervisor.host.agent.stats  # where the run had to end, it has said itself why
        if code := stats.get("exit_code"):
            _say(
                f"the script has ended with exit code {code}; what is done is kept: mend it, and "
                f"go on with: {resume_command(directory)}"
            )
    return supervisor.exit_code


def _give_back(directory: RunDir, info: RunInfo, supervisor: Supervisor, options: Options) -> None:
    """The run has ended: its journal takes no more of the disk than it needs.

    Who has stopped it wants to leave now, and will resume it.
    """
    if supervisor.gave_up is None and supervisor.stopped is None:
        growth.give_back(directory, info, _note(options))
        if supervisor.exit_code == 0:
            growth.give_up_reserve(directory)


def _note(options: Options) -> Callable[[str], None]:
    return (lambda text: None) if options.quiet else _say


def _say_all(lines: list[str]) -> None:
    for line in lines:
        _say(line)


def _say(text: str) -> None:
    print(f"scoop-ft: {text}", file=sys.stderr, flush=True)


def resume_command(directory: RunDir) -> str:
    """Return the exact command that goes on with a run, to be typed in the current folder."""
    relative = os.path.relpath(directory.path)
    path = relative if not relative.startswith("..") else str(directory.path)
    return f"scoop-ft resume {shlex.quote(path)}"


# ---- what the journal says ----------------------------------------------------------------------


def journal_summary(directory: RunDir, *, unsafe_filesystem: bool) -> dict[str, Any]:
    """Return what the journal of a run says of it: tasks, state, exit code.

    A run whose broker never came to make a journal has done nothing.
    """
    return edited.survey(directory, unsafe_filesystem=unsafe_filesystem)[0]


def counts(found: dict[str, Any]) -> str:
    """Say how many tasks there are, by what has become of them."""
    tasks = found.get("tasks", {})
    done, failed = tasks.get("done", 0), tasks.get("failed", 0)
    pending = tasks.get("pending", 0) + tasks.get("running", 0)
    return f"{done} done, {pending} pending, {failed} failed"
