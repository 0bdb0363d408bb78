"""Hosts that cannot be used: behind a real ssh server, each said in one line with what helps."""

from __future__ import annotations

import re
import subprocess
import sys

import psutil
import pytest

from scoop_ft.rundir import find_runs

from .conftest import HostsRun
from .seen import (
    COUNT,
    SQUARES,
    WAITING,
    agents_in,
    shortened,
    up,
)


def test_a_host_that_cannot_be_reached_is_one_line(run: HostsRun) -> None:
    script = run.script(COUNT.format(tasks=30, pause=0.1, gated=False))
    run.on("127.0.0.2 127.0.0.77", "-n", "2", script)
    assert "agents 1 tasks 30" in run.finish().splitlines()
    told = [line for line in run.errors.splitlines() if "127.0.0.77" in line]
    assert len(told) == 1, run.errors
    assert told[0].startswith("scoop-ft: ssh 127.0.0.77: connect to host")
    assert "Connection refused: start its ssh server; the run goes on with 1 of 2 hosts" in told[0]


def test_a_wrong_key_is_said_with_what_helps(run: HostsRun) -> None:
    folder = run.server.folder
    run.on(
        "127.0.0.2", "-n", "1", run.script(WAITING),
        ssh=f"ssh -F {folder}/no_key_config -i {folder}/wrong",
    )  # fmt: skip
    assert run.wait() == 2
    assert run.output == ""
    last = run.errors.splitlines()[-1]
    assert last.startswith("scoop-ft: error: no host can be used, and there are no workers")
    assert "ssh 127.0.0.2: Permission denied (publickey): put your public key there" in last
    assert "resume" not in last
    assert not (run.folder / ".scoop-ft").exists() or not find_runs(run.folder)


def test_no_host_but_workers_here(run: HostsRun) -> None:
    run.on(
        "localhost 127.0.0.77", "-n", "2", run.script(COUNT.format(tasks=10, pause=0, gated=False))
    )
    assert "agents 1 tasks 10" in run.finish().splitlines()


def test_a_name_that_nobody_knows(run: HostsRun) -> None:
    run.on("no-such-host.invalid", run.script(WAITING))
    assert run.wait() == 2
    assert "ssh no-such-host.invalid: Could not resolve hostname" in run.errors


def test_no_such_python_there(run: HostsRun) -> None:
    run.on("127.0.0.2", "--python-interpreter", "/no/python", "-n", "1", run.script(WAITING))
    assert run.wait() == 2
    told = r"127\.0\.0\.2: /no/python cannot be run there .*--python-interpreter"
    assert re.search(told, run.errors), run.errors


def test_a_script_that_no_machine_can_import_ends_the_run(run: HostsRun) -> None:
    name = run.script(
        "from scoop_ft import futures\nif __name__ == '__main__':\n    size = 3\nprint(size)\n"
        "if __name__ == '__main__':\n    print(list(futures.map(abs, range(size))))\n"
    )
    run.on("127.0.0.2 127.0.0.3", "-n", "2", name)
    assert run.wait() == 2
    assert "no host can be used, and there are no workers here" in run.errors
    assert "cannot import script.py: NameError: name 'size' is not defined" in run.errors


def test_a_python_without_scoop_ft_there(run: HostsRun) -> None:
    bare = run.folder / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    (bare / "bin" / "there").symlink_to("python")  # by a name that is found there only
    run.script(f"export PATH={bare}/bin:$PATH\n", "prolog.sh")
    run.on(
        "127.0.0.2", "--python-interpreter", "there", "--prolog", str(run.folder / "prolog.sh"),
        "-n", "1", run.script(WAITING),
    )  # fmt: skip
    assert run.wait() == 2
    told = r"127\.0\.0\.2: there has no scoop-ft there, or another version: .*--python-interpreter"
    assert re.search(told, run.errors), run.errors
    assert "Traceback" not in run.errors


def test_another_version_there(run: HostsRun) -> None:
    """The broker refuses who speaks another protocol; said once, with its place."""
    other = run.folder / "other"
    other.mkdir()
    (other / "sitecustomize.py").write_text(
        "import scoop_ft.wire.messages\nscoop_ft.wire.messages.PROTOCOL_VERSION = 2\n"
    )
    run.script(f'test -z "$SSH_CONNECTION" || export PYTHONPATH={other}\n', "prolog.sh")
    prolog = str(run.folder / "prolog.sh")
    run.on("127.0.0.2", "--prolog", prolog, "-n", "1", run.script(WAITING))
    assert run.wait() == 2
    told = r"127\.0\.0\.2: the broker refused: .*protocol \d+, not 2\): install the same"
    assert re.search(told, run.errors), run.errors


def test_an_address_that_does_not_lead_here(run: HostsRun) -> None:
    nowhere = "192.0.2.1"  # kept for documentation: nobody has it
    shorter = shortened(run.folder, "WELCOME_S", 2.0)
    run.on(
        "127.0.0.2", "--pythonpath", shorter, "--external-hostname", nowhere, "-n", "1",
        run.script(WAITING),
    )  # fmt: skip
    assert run.wait() == 2
    told = rf"127\.0\.0\.2: no broker answers at tcp://{re.escape(nowhere)}:\d+, as seen from there"
    assert re.search(told + ".*--external-hostname, or use --tunnel", run.errors), run.errors


def test_a_server_that_allows_no_tunnel(
    tmp_path_factory: pytest.TempPathFactory, run: HostsRun
) -> None:
    from .conftest import start_server

    strict = start_server(tmp_path_factory.mktemp("strict"), "AllowTcpForwarding no")
    try:
        run.on("127.0.0.2", "--tunnel", "-n", "1", run.script(WAITING), ssh=strict.ssh)
        assert run.wait() == 2
        assert "have its ssh server allow it (AllowTcpForwarding yes)" in run.errors
    finally:
        strict.end()


def test_nothing_is_left_in_the_folders_for_temporary_files(run: HostsRun) -> None:
    """The run's key is there while it runs."""
    there = run.folder / "there"
    there.mkdir()
    elsewhere = run.folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "sitecustomize.py").write_text(
        f"import tempfile\ntempfile.tempdir = {str(there)!r}\n"
    )
    script = run.script(WAITING)
    for number in range(2):
        words = ("-n", "2", "--pythonpath", str(elsewhere), "--run-dir", f"r{number}", script)
        run.on("127.0.0.2 127.0.0.3", *words)
        up(run, 2)
        assert len(list(there.glob("*/keys/client.key"))) == 2
        run.script("", "go")
        assert run.finish() == SQUARES
        assert psutil.wait_procs(agents_in(run.folder), timeout=10.0)[1] == []
        (run.folder / "go").unlink()
        assert list(there.iterdir()) == []
