"""``scoop-ft worker``: it joins a run, and leaves when that has ended, whatever it has missed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from scoop_chaos.runs import COMMAND, RunProcess

from scoop_ft.launch.silence import ASLEEP_S, News, Silence
from scoop_ft.launch.welcome import WELCOME_S
from scoop_ft.rundir import RunDir

from ..waiting import eventually

LIMIT_S = 30.0

WAITING = """
import pathlib, time
from scoop_ft import futures

def work(number):
    while not pathlib.Path("go").exists():
        time.sleep(0.02)
    return number

if __name__ == "__main__":
    print(sum(futures.map(work, range(12))))
"""

NO_ROOM = """
import os, time
from scoop_ft import futures

def work(number):
    while not os.path.exists("go"):
        time.sleep(0.02)
    if "NO_ROOM" in os.environ:
        raise OSError(28, "No space left on device")
    raise KeyError(number)

if __name__ == "__main__":
    for error in sorted(futures.map(work, range(2), on_error="collect"), key=repr):
        print(error.__cause__)
"""

OVER = "scoop-ft: the run is over\n"


class Agents:
    """Agents of a run that others reach by its address."""

    def __init__(self, run: RunProcess) -> None:
        self.run = run
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{found.getsockname()[1]}"
        self._started: list[subprocess.Popen[bytes]] = []

    def begin(self, script: str = WAITING) -> None:
        """Start the run."""
        (self.run.folder / "script.py").write_text(script)
        self.run.start("-q", "--listen", self.address, "-n", "1", "--run-dir", "r", "script.py")
        self.run.wait_until(lambda s: s["workers"])
        shutil.copytree(self.run.folder / "r" / "keys", self.run.folder / "k")

    def start(
        self, *words: str, before: Sequence[str] = (), **more: str
    ) -> subprocess.Popen[bytes]:
        """Start an agent; its words go into the file of its number.

        ``before``: what executes its command.  ``more``: environment.
        """
        path = self.run.folder / f"agent.{len(self._started)}"
        with open(path, "wb") as file:
            process = subprocess.Popen(
                [*before, *COMMAND, "worker", "-n", "1", *words],
                cwd=self.run.folder, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                env={**os.environ, **more},
            )  # fmt: skip
        self._started.append(process)
        return process

    def join(self, *words: str, before: Sequence[str] = (), **more: str) -> subprocess.Popen[bytes]:
        """Start an agent that joins the run by its address."""
        return self.start(self.address, "--keys", "k", *words, before=before, **more)

    def up(self, workers: int) -> None:
        """Wait until so many workers work."""
        self.run.wait_until(lambda s: sum(w["state"] == "busy" for w in s["workers"]) == workers)

    def said(self, number: int = 0) -> str:
        return (self.run.folder / f"agent.{number}").read_text()

    def wait_for(self, text: str, number: int = 0) -> None:
        """Wait until an agent has said this."""
        eventually(lambda: text in self.said(number), lambda: self.said(number))

    def joined(self, workers: int) -> str:
        """Return what an agent says when it has joined."""
        return (
            f"scoop-ft: joined run {RunDir(self.run.folder / 'r').info().run} with {workers} "
            f"worker{'s' * (workers > 1)}; Ctrl-C leaves it: what is not done then is done "
            "elsewhere\n"
        )

    def pid(self, number: int) -> int:
        return self._started[number].pid

    def wait(self, number: int) -> int:
        """Wait for an agent's end; return its exit code."""
        return self._started[number].wait(LIMIT_S)

    def finish(self) -> None:
        """Let the run come to its end."""
        (self.run.folder / "go").touch()
        assert self.run.finish() == "66\n"

    def end(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.wait()


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """The folder cannot be written, meanwhile."""
    mount = ["mount", "--bind", "-o", "ro", folder, folder]
    done = subprocess.run(mount, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount anything read-only: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def agents(run_process: RunProcess) -> Iterator[Agents]:
    one = Agents(run_process)
    yield one
    one.end()


def test_who_joins_is_told_so_and_when_it_is_over(agents: Agents) -> None:
    agents.begin()
    agents.start("r")
    agents.wait_for(agents.joined(1))
    agents.join("-n", "2")
    agents.wait_for(agents.joined(2), 1)
    agents.up(4)
    os.kill(agents.pid(1), signal.SIGINT)
    assert agents.wait(1) == 130
    agents.finish()
    assert agents.wait(0) == 0
    assert agents.said() == agents.joined(1) + OVER
    assert agents.said(1) == agents.joined(2)


def test_those_that_were_stopped_at_the_end_of_the_run_end_when_they_go_on(agents: Agents) -> None:
    agents.begin()
    there = [agents.join() for _ in range(3)]
    agents.up(4)
    for agent in there:
        os.kill(agent.pid, signal.SIGSTOP)
    agents.finish()
    for agent in there:
        os.kill(agent.pid, signal.SIGCONT)
    assert [agent.wait(LIMIT_S) for agent in there] == [0, 0, 0]
    assert [agents.said(number) for number in range(3)] == [agents.joined(1) + OVER] * 3


def test_a_machine_that_cannot_import_the_script_leaves_and_fails_no_task(agents: Agents) -> None:
    lacks = "import os\nif 'LACKS' in os.environ:\n    open(os.environ['LACKS'])\n"
    agents.begin(lacks + WAITING)
    one = agents.join(LACKS="table.csv")
    assert one.wait(LIMIT_S) == 2
    why = "this machine cannot import script.py: FileNotFoundError: "
    assert f"scoop-ft: error: {why}" in agents.said()
    (told,) = agents.run.wait_until(lambda s: s["turned_away"])["turned_away"].values()
    assert told.startswith(why)
    agents.finish()


def test_what_a_task_raises_elsewhere_names_the_machine(agents: Agents) -> None:
    agents.begin(NO_ROOM)
    agent = agents.join(NO_ROOM="1")
    agents.up(2)
    (agents.run.folder / "go").touch()
    said = agents.run.finish()
    assert agent.wait(LIMIT_S) == 0
    here, elsewhere = said.split("KeyError: ")
    name = socket.gethostname()
    assert here.startswith('\n"""\nTraceback (most recent call last):\n')  # where its script is
    assert f'"""\nRaised on {name}:\nTraceback (most recent call last):\n' in elsewhere
    assert "OSError: [Errno 28] No space left on device" in elsewhere


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this system has no IPv6")
@pytest.mark.parametrize(("where", "there"), [("[::1]", "[::1]"), ("[::]", "127.0.0.1")])
def test_it_joins_by_ipv6(agents: Agents, where: str, there: str) -> None:
    port = agents.address.rpartition(":")[2]
    agents.address = f"tcp://{where}:{port}"
    agents.begin()
    agents.address = f"tcp://{there}:{port}"
    agents.join()
    agents.up(2)
    agents.finish()


def test_without_a_broker_for_too_long_it_gives_up(agents: Agents) -> None:
    agents.begin()
    agent = agents.join("--give-up-after", "6s")
    agents.up(2)
    agents.run.kill_everything()
    agents.wait_for("no broker answers; waiting for one")
    assert agent.poll() is None
    assert agent.wait(LIMIT_S) == 69
    agents.wait_for(
        "scoop-ft: error: no broker has answered for 6s: start this again when the run is served; "
        "--give-up-after waits longer\n"
    )


def resumed(agents: Agents, agent: subprocess.Popen[bytes]) -> None:
    """The run goes on, and who has waited for it works to its end."""
    agents.run.resume("-q")
    agents.up(2)
    agents.finish()
    assert agent.wait(LIMIT_S) == 0


def test_one_that_is_started_before_the_run_waits_for_it_as_long_as_was_said(
    agents: Agents,
) -> None:
    agents.begin()
    agents.run.kill_everything()
    began = time.monotonic()
    agent = agents.join("--give-up-after", "0")
    agents.wait_for("no broker answers yet at")
    agents.wait_for("; waiting for one (Ctrl-C ends this)\n")
    short = agents.join("--give-up-after", "2s")
    assert short.wait(LIMIT_S) == 69
    assert f"scoop-ft: error: nothing listens at {agents.address}: " in agents.said(1)
    time.sleep(max(0.0, began + WELCOME_S + 1.0 - time.monotonic()))
    assert agent.poll() is None
    resumed(agents, agent)


def test_keys_of_another_run_are_told_from_a_run_that_is_not_there(agents: Agents) -> None:
    agents.begin()
    other = RunDir(agents.run.folder / "other")
    other.path.mkdir()
    other.make_keys()
    agent = agents.start(agents.address, "--keys", str(other.keys))
    assert agent.wait(LIMIT_S) == 2
    assert f"who listens at {agents.address} does not know these keys: copy" in agents.said()
    agents.finish()


def test_the_brokers_log_says_which_machine_came_and_went(agents: Agents) -> None:
    log = agents.run.folder / "r" / "logs" / "broker.log"

    def told(text: str, times: int = 1) -> None:
        line = f" INFO {name}: {text}"
        eventually(lambda: log.read_text().count(line) == times, log.read_text)

    agents.begin()
    name = f"{socket.gethostname()}-pc"
    named = ["unshare", "-u", "sh", "-c", f'hostname {name} && exec "$@"', "-"]
    if subprocess.run([*named, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no process can have a host name of its own")
    agent = agents.join(before=named)
    told("it has workers")
    os.kill(agent.pid, signal.SIGSTOP)
    told("its workers are stopped, or it is switched off or cut off: what they had is run else")
    os.kill(agent.pid, signal.SIGCONT)
    told("it has workers", times=2)
    agent.terminate()
    told("its workers have left")
    agents.finish()


def test_a_broker_that_is_back_in_time_is_joined_again(agents: Agents) -> None:
    agents.begin()
    agent = agents.join("--give-up-after", "0")
    agents.up(2)
    agents.run.kill_everything()
    agents.wait_for("no broker answers; waiting for one")
    agents.run.resume("-q")
    agents.wait_for("the broker answers again")
    agents.finish()
    assert agent.wait(LIMIT_S) == 0


def test_a_finished_run_is_refused_at_once(agents: Agents) -> None:
    agents.begin()
    agents.finish()
    began = time.monotonic()
    assert agents.start("r").wait(LIMIT_S) == 2
    assert time.monotonic() - began < 5.0
    said = "scoop-ft: error: the run r is finished: nothing is left for workers to do\n"
    assert agents.said() == said
    with read_only(agents.run.folder / "r"):
        assert agents.start("r").wait(LIMIT_S) == 2
        assert agents.said(1) == said


def test_an_interrupted_run_is_waited_for_with_a_word_on_how_to_go_on(agents: Agents) -> None:
    agents.begin()
    agents.run.kill_everything()
    agent = agents.start("r")
    agents.wait_for("scoop-ft: nobody serves the run r now: 'scoop-ft resume r' goes on with it; ")
    assert agent.poll() is None
    resumed(agents, agent)


def test_a_directory_in_which_no_worker_can_work_is_refused(agents: Agents) -> None:
    agents.begin()
    agents.run.kill_everything()
    with read_only(agents.run.folder / "r"):
        assert agents.start("r").wait(LIMIT_S) == 2
        assert "and that cannot be written: join the run by its address" in agents.said()


def test_the_time_that_was_slept_is_not_the_brokers() -> None:
    now = 1000.0
    silence = Silence(60.0, lambda: now)
    assert silence.look(True) is None
    heard = []
    for _ in range(59):
        now += 1.0
        heard.append(silence.look(False))
    assert [news for news in heard if news] == [News.LONELY]
    now += 8 * 3600.0  # the night
    heard = []
    for _ in range(60):
        heard.append(silence.look(False))
        now += 1.0
    assert heard == [None] * 60
    now += ASLEEP_S / 2
    assert silence.look(False) is News.OVER


def test_a_clock_that_is_set_ends_nothing() -> None:
    now = 1000.0
    silence = Silence(60.0, lambda: now)
    for step in (1.0, 7200.0, 1.0, -7200.0, 1.0):
        now += step
        assert silence.look(False) is None
    assert silence.look(True) is None


def test_it_says_that_a_broker_is_back_only_if_it_said_that_none_was_there() -> None:
    now = 0.0
    silence = Silence(60.0, lambda: now)
    assert silence.look(False) is None
    assert silence.look(True) is None
    for _ in range(4):
        now += 1.0
        news = silence.look(False)
    assert news is News.LONELY
    assert silence.look(True) is News.BACK
    assert silence.look(True) is None
