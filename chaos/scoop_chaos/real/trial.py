"""One program under faults: started, struck, resumed, and held to its answer.

The loop is one thread that looks every few milliseconds.  What was drawn comes from `plan`, what a
fault does is in `strikes`; here is when it comes, what happens after the launcher's death, and
what must be so in the end.
"""

from __future__ import annotations

import json
import shutil
import signal
import time
from typing import Final

import scoop_journal

from scoop_ft.launch.stopping import RESUME_ME

from ..runs import COMMAND, RunFailed, is_gone
from ..violations import LIVENESS, Violation
from .account import settle
from .disk import SmallDisk
from .network import ADDRESS, AWAY, HOME
from .outcome import Answer, Emit, Outcome
from .plan import Drawn, TrialPlan
from .scene import Scene
from .stage import Stage
from .strikes import strike
from .verdict import of_answer, of_journal, write_story
from .victim import Away, Victim

LOOK_S: Final = 0.004
STORM_S: Final = 45.0  # then the faults are over, and it must come to its end
LIVENESS_S: Final = 60.0  # from then on, and
SLOWER: Final = 4.0  # as many times as long as it takes undisturbed
RECOVERS_S: Final = 10.0  # a fault that waits for the recovery from another waits so long
TRIES_S: Final = 5.0  # a fault that meets nobody waits so long for somebody
GONE_S: Final = 5.0  # all processes of a launcher that was killed
LEFT_S: Final = 10.0  # a launcher that was told to end
ATTEMPTS: Final = 1000  # they are killed at random: none of it is the tasks' own fault
DISK_MB: Final = 48


class Trial:
    """Plays one trial.

    Parameters
    ----------
    plan : TrialPlan
    stage : Stage
    answer : Answer
        Of the program when nothing is broken.
    emit : callable
        Told each event, as a line.
    until : float
        When the faults are over at the latest.
    """

    def __init__(
        self, plan: TrialPlan, stage: Stage, answer: Answer, emit: Emit, until: float
    ) -> None:
        self.plan = plan
        self._stage = stage
        self._answer = answer.text
        self._patience_s = LIVENESS_S + SLOWER * answer.seconds
        self._emit = emit
        self._until = until
        folder = stage.folder / f"trial{plan.number}"
        folder.mkdir()
        disk = None
        run_dir = folder / "run"
        if plan.small_disk:
            disk = SmallDisk(stage.janitor, folder / "disk", DISK_MB)
            run_dir = disk.run_dir
        network = stage.network if plan.away else None
        prefix = network.on(HOME) if network is not None else []
        self.scene = Scene(plan, stage, Victim(folder, run_dir, prefix), disk)
        self.outcome = Outcome(plan, folder, times=self.scene.watches.times)
        self._faults = plan.faults()
        self._next: Drawn = next(self._faults)
        self._since = self._struck_at = time.monotonic()
        self._resume_at: float | None = None
        self._resume_kind = ""

    # ---- from start to end ----------------------------------------------------------------------

    def run(self) -> Outcome:
        """Play it to its end."""
        began = time.monotonic()
        try:
            self._start()
            self._storm(min(self._until, began + STORM_S))
            self._calm()
            self._conclude()
        except RunFailed as error:
            self._violate(LIVENESS, str(error))
        except scoop_journal.JournalError as error:
            self._violate(13, f"its journal cannot be read: {error}")
        finally:
            self._clear()
        self.outcome.seconds = time.monotonic() - began
        return self.outcome

    def _start(self) -> None:
        plan, victim = self.plan, self.scene.victim
        words = ["-n", str(plan.workers), "--max-attempts", str(ATTEMPTS)]
        words += ["--run-dir", str(victim.directory.path)]
        if plan.away:
            words += ["--listen", f"tcp://{ADDRESS[HOME]}:{_PORT}"]
        victim.start(*words, str(plan.script), *plan.args)
        network = self._stage.network
        if plan.away and network is not None:
            command = [*COMMAND, "worker", f"tcp://{ADDRESS[HOME]}:{_PORT}"]
            command += ["--keys", str(victim.directory.keys)]
            self.scene.away = Away(victim.folder, network.on(AWAY), command, plan.away)

    def _storm(self, until: float) -> None:
        """Break things until the program has ended, or it is time to stop."""
        while time.monotonic() < until:
            if self._step():
                return
            if self._fault_is_due():
                self._strike()

    def _calm(self) -> None:
        """Nothing is broken any more: it must come to its end."""
        self.scene.undo_all()
        self.scene.free_disk()
        deadline = time.monotonic() + self._patience_s
        while not self._step():
            if time.monotonic() > deadline:
                found = self.scene.victim.status()
                raise RunFailed(
                    f"{self._patience_s:.0f} s after the last fault it has not ended and waits "
                    f"for {found['waiting'] or 'nothing that it names'}: "
                    f"{json.dumps(found, indent=1)}"
                )

    def _step(self) -> bool:
        """Look at everything once; True when the program has ended."""
        scene = self.scene
        now = time.monotonic()
        scene.do_due(now)
        for kind, seconds in scene.look():
            self._emit(f"recovered: {kind}, {seconds:.3f} s")
        if scene.away is not None and (scene.victim.directory.keys / "client.key").exists():
            scene.away.tick()
        if self._resume_at is not None:
            if now >= self._resume_at:
                self._resume()
            return False
        code = scene.victim.launcher.poll()
        if code is not None:
            return self._launcher_ended(code)
        if scene.dying is not None and now - scene.dying.harm.at > LEFT_S:
            there = ", ".join(scene.victim.living()) or "nobody else"
            text = f"told to end, the launcher did not; still there: {there}"
            raise RunFailed(f"{text}{_tail(scene.victim)}")
        time.sleep(LOOK_S)
        return False

    # ---- faults ---------------------------------------------------------------------------------

    def _fault_is_due(self) -> bool:
        """Tell whether the next fault's moment has come."""
        now = time.monotonic()
        if self._resume_at is not None or self.scene.dying is not None:
            self._since = now
            return False
        waits = self._next.calm and not self.scene.quiet
        if waits and now - self._struck_at < RECOVERS_S:
            self._since = now
            return False
        return now - self._since >= self._next.gap_s

    def _strike(self) -> None:
        """Do the next fault; where there is nobody to do it to yet, try again for a while."""
        scene, drawn = self.scene, self._next
        now = time.monotonic()
        # What is under way is disturbed by it, and what it begins by what is broken still.
        quiet = scene.quiet
        struck = scene.victim.live() is not None and strike(scene, drawn)
        if struck:
            self.outcome.faults[drawn.fault] += 1
            lasts = f", for {drawn.lasts_s:.1f} s" if drawn.lasts_s else ""
            self._emit(f"fault: {drawn.fault.value}{lasts}")
            scene.watches.disturb(before=now)
            if not quiet:
                scene.watches.disturb()
            self._struck_at = time.monotonic()
        elif now - max(self._since, self._struck_at) - drawn.gap_s < TRIES_S:
            time.sleep(LOOK_S)
            return
        self._next = next(self._faults)
        self._since = time.monotonic()

    # ---- the launcher's death -------------------------------------------------------------------

    def _launcher_ended(self, code: int) -> bool:
        """The launcher has ended: for good, or to be resumed."""
        scene, dying = self.scene, self.scene.dying
        told = dying is not None and dying.told
        if code == 0:
            if dying is not None:
                dying.harm.until = time.monotonic()
                scene.dying = None
            return True
        if dying is None or (told and code not in (RESUME_ME, -signal.SIGTERM)):
            raise RunFailed(f"the launcher ended by itself with {code}{_tail(scene.victim)}")
        self._wait_until_gone(dying.before)
        now = time.monotonic()
        dying.harm.until = now
        scene.dying = None
        scene.watches.give_up()
        scene.broker_died(dying.harm.fault)
        scene.free_disk()
        self._resume_at = now + dying.pause_s
        self._resume_kind = dying.harm.fault.value
        return False

    def _wait_until_gone(self, pids: list[int]) -> None:
        """Whatever the launcher had started dies with it, at once."""
        deadline = time.monotonic() + GONE_S
        while left := [pid for pid in pids if not is_gone(pid)]:
            if time.monotonic() > deadline:
                self._violate(22, f"{left} still lived {GONE_S:.0f} s after their launcher's death")
                return
            time.sleep(LOOK_S)

    def _resume(self) -> None:
        scene = self.scene
        self._resume_at = None
        since = time.monotonic()
        scene.story.resumes.append(since)
        scene.victim.resume()
        self.outcome.resumes += 1
        scene.watch(self._resume_kind, since, scene.answered(since, "S"))
        self._since = since

    # ---- the end --------------------------------------------------------------------------------

    def _conclude(self) -> None:
        """Hold the run to its answer, its journal to its word, its tasks to their reasons."""
        scene = self.scene
        scene.look()
        scene.watches.give_up()
        for violation in (*of_answer(scene.victim, self._answer), *of_journal(scene.victim)):
            self._violate(*violation)
        scene.story.copies = scene.victim.copies()
        if self.plan.ours:
            self.outcome.account = settle(scene.story)
            for violation in self.outcome.account.violations:
                self._violate(*violation)

    def _violate(self, invariant: int, text: str) -> None:
        violation = Violation(invariant, text)
        self.outcome.violations.append(violation)
        self._emit(f"VIOLATION of {violation}")

    def _clear(self) -> None:
        """End what lives still; keep what may have to be looked at."""
        scene = self.scene
        if self._stage.network is not None and scene.cut:
            self._stage.network.join()
        scene.victim.end()
        if scene.away is not None:
            scene.away.end()
        if scene.disk is not None:
            scene.disk.free()
            if self.outcome.violations:
                shutil.copytree(scene.disk.run_dir, self.outcome.folder / "run")
            scene.disk.unmount()
        if self.outcome.violations:
            texts = [str(violation) for violation in self.outcome.violations]
            write_story(self.outcome.folder, self.plan, scene.story, texts)
        else:
            shutil.rmtree(self.outcome.folder, ignore_errors=True)


_PORT: Final = 5757  # in a network of our own


def _tail(victim: Victim) -> str:
    return f"\nstdout: {victim.output[-1000:]}\nstderr: {victim.errors[-3000:]}"
