"""What is typed about machines."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from scoop_ft.errors import RunError
from scoop_ft.launch.hosts.options import TakesHosts, machine_options
from scoop_ft.launch.hosts.settle import Said, choose_listen, settle
from scoop_ft.rundir import RunInfo


def parsed(*words: str, interspersed: bool = False) -> tuple[Said, tuple[str, ...], int | None]:
    """Return what a command with our options, and some others, makes of words."""
    got = []

    @click.command(cls=TakesHosts, context_settings={"allow_interspersed_args": interspersed})
    @machine_options
    @click.option("-n", type=int)
    @click.option("-q", is_flag=True)
    @click.argument("rest", nargs=-1, type=click.UNPROCESSED)
    def command(machines: Said, n: int | None, q: bool, rest: tuple[str, ...]) -> int:
        got.append((machines, rest, n))
        return 0

    command.main(list(words), standalone_mode=False)
    return got[0]


@pytest.mark.parametrize("option", ["--hosts", "--host"])
def test_hosts_end_at_the_script(option: str) -> None:
    said, rest, _ = parsed(option, "a", "b", "c", "script.py", "--hosts", "x", "y")
    assert said.hosts == ("a", "b", "c")
    assert rest == ("script.py", "--hosts", "x", "y")


def test_hosts_end_at_an_option() -> None:
    said, rest, n = parsed("-q", "--hosts", "a", "b", "-n", "3", "--hosts", "c", "s.py", "1")
    assert said.hosts == ("a", "b", "c")
    assert (rest, n) == (("s.py", "1"), 3)


def test_hosts_end_at_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study").touch()
    (tmp_path / "a").touch()
    said, rest, _ = parsed("--hosts", "a", "b", "study", "b")
    assert (said.hosts, rest) == (("a", "b"), ("study", "b"))


def test_values_of_other_options_are_no_script() -> None:
    said, rest, n = parsed("-n", "4", "--path", "/d", "--hosts", "a", "s.py")
    assert (said.hosts, said.path, rest, n) == (("a",), "/d", ("s.py",), 4)


def test_a_run_may_come_before_or_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".scoop-ft" / "the-run").mkdir(parents=True)
    before = parsed("the-run", "--hosts", "a", "b", interspersed=True)
    after = parsed("--hosts", "a", "b", "the-run", interspersed=True)
    assert before[:2] == after[:2]
    assert (after[0].hosts, after[1]) == (("a", "b"), ("the-run",))


def test_hosts_want_names() -> None:
    with pytest.raises(click.UsageError, match="--hosts wants names of machines"):
        parsed("--hosts", "script.py")


# ---- what becomes of it -------------------------------------------------------------------------


def info(**changes: object) -> RunInfo:
    fields = {
        "run": "r", "script": "s.py", "args": [], "cwd": "/", "seed": 1, "workers": 2,
        "python": "p", "created": 0.0, "max_attempts": 3, "path": "/", **changes,
    }  # fmt: skip
    return RunInfo(**fields)  # type: ignore[arg-type]


def test_without_machines_nothing_changes() -> None:
    one = info()
    assert settle(one, Said(), 5) == []
    assert one == info()


def test_the_workers_here_are_those_of_this_machine() -> None:
    one = info()
    settle(one, Said(hosts=("node1", "localhost")), 5)
    assert one.workers == 2
    settle(one, Said(), 9)  # as resume does
    assert one.workers == 4
    settle(one, Said(hosts=("node1",)), None)
    assert one.workers == 0


def test_what_is_not_said_stays() -> None:
    one = info()
    settle(one, Said(hosts=("a",), tunnel=True, path="/data", nice=3), None)
    settle(one, Said(hosts=("b",), tunnel=False), None)
    machines = one.machines
    assert machines is not None
    assert ([m.name for m in machines.named], machines.tunnel) == (["b"], False)
    assert (machines.path, machines.nice) == ("/data", 3)


def test_more_than_a_hostfile_allows_is_told(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("a 2\nlocalhost 2\n")
    one = info()
    (line,) = settle(one, Said(hostfile=str(tmp_path / "hosts")), 9)
    assert line == "-n 9: the machines have room for 4 workers: 4 it is"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (Said(tunnel=True), "--tunnel is for other machines"),
        (Said(path="/x"), "--path is for other machines"),
        (Said(hosts=("a",), hostfile="f"), "exclude each other"),
        (Said(hosts=("-oProxyCommand=x",)), "is not the name of a machine"),
        (Said(hosts=("a",), ssh_executable="/no/ssh -v"), "there is no command /no/ssh here"),
        (Said(hosts=("a",), ssh_executable="'"), "--ssh-executable '"),
    ],
)
def test_what_cannot_be(said: Said, why: str) -> None:
    with pytest.raises(RunError, match=why):
        settle(info(), said, None)


def listens(said: Said, listen: str = "") -> str:
    one = info(listen=listen)
    settle(one, said, None)
    choose_listen(one)
    assert one.machines is not None
    return one.machines.listen


def test_where_the_broker_listens() -> None:
    assert listens(Said(hosts=("a",))).startswith("tcp://0.0.0.0:")
    assert listens(Said(hosts=("a",), tunnel=True)).startswith("tcp://127.0.0.1:")
    assert listens(Said(hosts=("a",)), "tcp://10.0.0.1:5700") == ""
    assert listens(Said(hosts=("localhost",))) == ""
