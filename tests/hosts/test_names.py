"""Which machines are meant, and how many workers each gets."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest

from scoop_ft.errors import RunError
from scoop_ft.launch.hosts import names, shares
from scoop_ft.machines import Machine, Machines


def counts(machines: list[Machine]) -> list[tuple[str, int, bool]]:
    return [(one.name, one.count, one.limit) for one in machines]


def of_file(folder: Path, text: str) -> list[tuple[str, int, bool]]:
    (folder / "hosts").write_text(text)
    return counts(names.from_file(str(folder / "hosts")))


def test_hosts_named_once_get_their_cores() -> None:
    assert counts(names.from_words(["a", "ann@b"])) == [("a", 0, False), ("ann@b", 0, False)]


def test_hosts_named_more_than_once_get_so_many_workers() -> None:
    assert counts(names.from_words(["a", "b", "a"])) == [("a", 2, False), ("b", 1, False)]


def test_a_hostfile(tmp_path: Path) -> None:
    text = "# all\n\nnode1 4\n  ann@node2\t2 # hers\nnode3\n10.0.0.7 slots=8\n"
    assert of_file(tmp_path, text) == [
        ("node1", 4, True), ("ann@node2", 2, True), ("node3", 0, False), ("10.0.0.7", 8, True)
    ]  # fmt: skip


def test_lines_of_one_machine_add_up(tmp_path: Path) -> None:
    assert of_file(tmp_path, "a 2\nb 1\na 3\n") == [("a", 5, True), ("b", 1, True)]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "names no machine"),
        ("# nobody\n", "names no machine"),
        ("a b\n", "line 1: a line is 'name' or 'name count', not 'a b'"),
        ("a 0\n", "line 1: a line is"),
        ("a 2 3\n", "line 1: a line is"),
        ("a\nb:4\n", "line 2: 'b:4' is no name; .* in a hostfile, behind a space: 'b 4'$"),
        ("a\n-oProxyCommand=evil 2\n", "line 2: '-oProxyCommand=evil' is not the name"),
        ("node[1-3] 2\n", "name each machine by itself"),
        ("a\na 2\n", "names a twice: say once how many workers"),
    ],
)
def test_a_hostfile_that_is_none(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(RunError, match=why.replace("[", r"\[")):
        of_file(tmp_path, text)


def test_a_count_behind_a_colon_is_no_name_of_a_machine(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"--hosts: 'ann@b:12' is no name; .*: 'ann@b 12'$"):
        names.from_words(["a", "ann@b:12"])
    assert of_file(tmp_path, "fe80::1 2\n::1\n") == [("fe80::1", 2, True), ("::1", 0, False)]


def test_a_hostfile_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"cannot read the hostfile .*No such file"):
        names.from_file(str(tmp_path / "hosts"))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RunError, match="cannot read the hostfile"):
        names.from_file(str(tmp_path / "binary"))


def test_this_machine() -> None:
    assert names.is_here("localhost")
    assert names.is_here("127.0.0.1")
    assert names.is_here(socket.gethostname())
    assert not names.is_here("node7")
    assert not names.is_here("ann@localhost")  # another user: through ssh


# ---- batch jobs ---------------------------------------------------------------------------------


def test_a_job_of_pbs(tmp_path: Path) -> None:
    (tmp_path / "nodes").write_text("n1\nn1\nn2\n")
    found = names.of_job({"PBS_NODEFILE": str(tmp_path / "nodes")})
    assert counts(found) == [("n1", 2, True), ("n2", 1, True)]


def test_a_job_of_grid_engine(tmp_path: Path) -> None:
    (tmp_path / "pe").write_text("n1 2 all.q@n1 UNDEFINED\nn2 1 all.q@n2 <NULL>\n")
    found = names.of_job({"PE_HOSTFILE": str(tmp_path / "pe")})
    assert counts(found) == [("n1", 2, True), ("n2", 1, True)]


def test_a_job_of_slurm(tmp_path: Path) -> None:
    if shutil.which("scontrol") is None:
        pytest.skip("no scontrol here: apt-get install slurm-client")
    (tmp_path / "slurm.conf").write_text(
        "ClusterName=x\nSlurmctldHost=localhost(127.0.0.1)\nNodeName=n[1-9]\n"
        "PartitionName=p Nodes=ALL\n"
    )
    job = {"SLURM_JOB_NODELIST": "n[1-3,7]", "SLURM_TASKS_PER_NODE": "2(x3),1"}
    found = names.of_job({**os.environ, **job, "SLURM_CONF": str(tmp_path / "slurm.conf")})
    assert counts(found) == [("n1", 2, True), ("n2", 2, True), ("n3", 2, True), ("n7", 1, True)]


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        ({}, "this is no job of Slurm, PBS or Grid Engine"),
        ({"PBS_NODEFILE": "/no/such/file"}, "cannot read /no/such/file, which PBS_NODEFILE names"),
    ],
)
def test_no_job(environ: dict[str, str], why: str) -> None:
    with pytest.raises(RunError, match=why):
        names.of_job(environ)


# ---- shares -------------------------------------------------------------------------------------


def divided(named: list[Machine], total: int) -> list[tuple[str, int]]:
    return [(share.name, share.workers) for share in shares.divide(named, total)]


def free(*names_: str, count: int = 0) -> list[Machine]:
    return [Machine(name=name, count=count) for name in names_]


def test_without_a_number_it_is_as_written() -> None:
    named = [Machine(name="a", count=4, limit=True), Machine(name="b")]
    assert divided(named, 0) == [("a", 4), ("b", 0)]


@pytest.mark.parametrize(
    ("total", "expected"),
    [
        (1, [("a", 1)]),
        (2, [("a", 1), ("b", 1)]),
        (3, [("a", 2), ("b", 1)]),
        (7, [("a", 4), ("b", 3)]),
    ],
)
def test_a_number_is_spread_in_turn(total: int, expected: list[tuple[str, int]]) -> None:
    assert divided(free("a", "b"), total) == expected


def test_counts_of_a_hostfile_are_filled_in_order() -> None:
    named = [Machine(name=name, count=4, limit=True) for name in "abc"]
    assert divided(named, 6) == [("a", 4), ("b", 2)]
    assert divided(named, 12) == [("a", 4), ("b", 4), ("c", 4)]
    assert divided(named, 99) == [("a", 4), ("b", 4), ("c", 4)]
    assert shares.most(named) == 12


def test_only_those_without_a_limit_take_more() -> None:
    named = [Machine(name="a", count=2, limit=True), *free("b")]
    assert divided(named, 9) == [("a", 2), ("b", 7)]
    assert shares.most(named) == 0


@pytest.mark.parametrize("total", range(1, 30))
def test_it_is_the_number_that_was_asked_for(total: int) -> None:
    named = [Machine(name="a", count=3, limit=True), *free("b"), *free("c", count=2)]
    assert sum(n for _, n in divided(named, total)) == total


def test_here_and_elsewhere() -> None:
    machines = Machines(named=[*free("localhost", "n1"), Machine(name="127.0.0.1", count=3)])
    assert shares.here(machines, cores=8) == 11
    assert [share.name for share in shares.elsewhere(machines)] == ["n1"]
