"""Runs on machines behind a real ssh server: from end to end, and with what goes wrong there."""

from __future__ import annotations

import os
import re
import signal
import time

import psutil
import pytest

from ..waiting import eventually
from .conftest import HostsRun
from .seen import (
    COUNT,
    SQUARES,
    WAITING,
    agents_in,
    directory,
    shortened,
    sshs_of,
    up,
    wait_for,
)

# ---- as it should be ----------------------------------------------------------------------------


def test_two_hosts_do_the_work(run: HostsRun) -> None:
    script = run.script(COUNT.format(tasks=40, pause=0.1, gated=True))
    run.on("127.0.0.2 127.0.0.3", "-n", "4", script)
    found = run.wait_until(lambda s: sum(w["state"] == "busy" for w in s["workers"]) == 4)
    workers = found["workers"]
    agents = agents_in(run.folder)
    assert len(agents) == 2
    assert len(workers) == 4
    run.script("", "go")
    output = run.finish()
    assert "agents 2 tasks 40" in output.splitlines()
    assert sorted(re.findall(r"^task (\d+)$", output, re.M), key=int) == list(map(str, range(40)))
    assert len(re.findall(r"^told by \d+$", run.errors, re.M)) == 40
    logs = directory(run).logs
    noted = [(logs / f"host-127.0.0.{k}.log").read_text() for k in (2, 3)]
    assert sum(len(re.findall(r"^task \d+$", text, re.M)) for text in noted) == 40


def test_keys_are_on_no_command_line_and_in_no_environment(run: HostsRun) -> None:
    run.on("127.0.0.2", "-n", "2", run.script(WAITING))
    up(run, 2)
    keys = directory(run).client_keys()
    assert keys is not None
    secrets = (keys.secret, keys.public, keys.server)
    (agent,) = agents_in(run.folder)
    family = [*sshs_of(run), *agent.parents()[:3], agent, *agent.children(recursive=True)]
    assert len(family) >= 6
    for process in family:
        told = " ".join(process.cmdline()) + repr(process.environ())
        assert not any(secret in told for secret in secrets), process
    run.script("", "go")
    assert run.finish() == SQUARES


def test_the_port_is_encrypted_and_asks_for_the_key(run: HostsRun) -> None:
    """Who has not the key of the run is not answered where other machines are."""
    from scoop_ft.client.connection import Connection
    from scoop_ft.wire.messages import PROTOCOL_VERSION, Hello

    run.on("127.0.0.2", "-n", "1", run.script(WAITING))
    up(run, 1)
    machines = directory(run).info().machines
    assert machines is not None
    address = machines.listen.replace("0.0.0.0", "127.0.0.1")
    stranger = Connection(lambda: address, lambda: None)
    stranger.open()
    stranger.send(Hello(PROTOCOL_VERSION, b"12345678", "observer", "x", 1, b"", [], []))
    stranger.poll(1.0)
    assert stranger.receive() is None
    stranger.close()
    run.script("", "go")
    assert run.finish() == SQUARES


def test_a_tunnel_needs_no_open_port(run: HostsRun) -> None:
    run.on("127.0.0.2", "--tunnel", "-n", "2", run.script(WAITING))
    up(run, 2)
    broker = psutil.Process(run.status()["broker"]["pid"])
    listening = {c.laddr.ip for c in broker.net_connections("tcp") if c.status == "LISTEN"}
    assert listening == {"127.0.0.1"}
    (agent,) = agents_in(run.folder)
    machines = directory(run).info().machines
    assert machines is not None
    port = int(machines.listen.rpartition(":")[2])
    spoken = {c.raddr.port for c in agent.net_connections("tcp") if c.raddr}
    assert spoken  # with ssh's end of the tunnel
    assert port not in spoken
    run.script("", "go")
    assert run.finish() == SQUARES


def test_localhost_needs_no_ssh(run: HostsRun) -> None:
    script = run.script(COUNT.format(tasks=10, pause=0, gated=False))
    run.on("localhost localhost", script, ssh="/there/is/no/ssh")
    assert "agents 1 tasks 10" in run.finish().splitlines()
    assert not list(directory(run).logs.glob("host-*"))


def test_a_hostfile(run: HostsRun) -> None:
    hosts = "# borrowed\n127.0.0.2 1\n\nlocalhost 2  # mine\n127.0.0.3 slots=1\n"
    (run.folder / "hosts").write_text(hosts)
    script = run.script(WAITING)
    run.start("--ssh-executable", run.server.ssh, "--hostfile", "hosts", script)
    assert len(up(run, 4)) == 4
    assert len(agents_in(run.folder)) == 2
    run.script("", "go")
    assert run.finish() == SQUARES


def test_resume_uses_the_hosts_again_or_others(run: HostsRun) -> None:
    run.on("127.0.0.2 127.0.0.3", "-n", "2", run.script(WAITING))
    up(run, 2)
    assert len(agents_in(run.folder)) == 2
    run.kill("launcher")
    run.wait()
    run.resume()
    up(run, 2)
    assert len(agents_in(run.folder)) == 2
    run.kill("launcher")
    run.wait()
    run.resume("--hosts", "127.0.0.3", "-n", "1")
    eventually(lambda: len(agents_in(run.folder)) == 1)
    up(run, 1)
    run.script("", "go")
    assert run.finish() == SQUARES


def test_what_is_said_of_the_place_holds_there(run: HostsRun) -> None:
    place = run.folder / "a place"
    place.mkdir()
    (place / "prolog.sh").write_text("export FROM_PROLOG=$((40 + 2))\necho noise\ncat\n")
    script = run.script(
        "import os\nfrom scoop_ft import futures\n"
        "def look(x):\n"
        "    e = os.environ\n"
        "    return os.getcwd(), e['FROM_PROLOG'], e['PYTHONPATH'].split(':')[0], os.nice(0)\n"
        "if __name__ == '__main__':\n"
        "    print(*futures.submit(look, 1).result(), sep='\\n')\n"
    )
    run.on(
        "127.0.0.2", "--path", str(place), "--prolog", str(place / "prolog.sh"),
        "--pythonpath", str(place), "--nice", "7", "-n", "1", script,
    )  # fmt: skip
    assert run.finish().splitlines() == [str(place), "42", str(place), str(min(19, os.nice(0) + 7))]
    assert run.errors.count("noise") == 1  # from here


def test_what_is_said_of_workers_holds_there(run: HostsRun) -> None:
    script = run.script(
        "import os\nfrom scoop_ft import futures, options\n"
        "def who(x):\n"
        "    return os.getpid()\n"
        "if __name__ == '__main__':\n"
        "    on = options(who, resources={'gpu': 1})\n"
        "    print(*futures.map(on, range(6)))\n"
    )
    run.on(
        "127.0.0.2", "--resources", "gpu=1", "--max-tasks-per-worker", "2", "-n", "1", script,
    )  # fmt: skip
    pids = run.finish().split()
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [2, 2, 2]


def test_the_address_may_be_told(run: HostsRun) -> None:
    script = run.script(COUNT.format(tasks=4, pause=0, gated=False))
    run.on("127.0.0.2", "--external-hostname", "127.0.0.3", "-n", "1", script)
    assert "agents 1 tasks 4" in run.finish().splitlines()


# ---- deaths -------------------------------------------------------------------------------------


def test_nothing_is_left_when_the_launcher_is_killed(run: HostsRun) -> None:
    run.on("127.0.0.2 127.0.0.3", "-n", "4", run.script(WAITING))
    workers = up(run, 4)
    there = [*agents_in(run.folder), *sshs_of(run)]
    there += [psutil.Process(worker["pid"]) for worker in workers]  # type: ignore[arg-type]
    assert len(there) == 8
    run.kill("launcher")
    assert psutil.wait_procs(there, timeout=10.0)[1] == []
    run.resume()
    up(run, 4)
    run.script("", "go")
    assert run.finish() == SQUARES


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_nothing_is_left_when_it_is_stopped(run: HostsRun, number: int, code: int) -> None:
    run.on("127.0.0.2", "-n", "2", run.script(WAITING))
    up(run, 2)
    there = [*agents_in(run.folder), *sshs_of(run)]
    run.kill("launcher", number=number)
    assert run.wait() == code
    assert psutil.wait_procs(there, timeout=10.0)[1] == []
    assert " is lost" not in run.errors
    run.script("", "go")
    run.resume()
    assert run.finish() == SQUARES


def test_the_launcher_is_killed_while_ssh_connects(run: HostsRun) -> None:
    """Wherever the agent is in its beginning, it ends."""
    for delay in (0.3, 0.6, 1.0):
        run.on("127.0.0.2", "-n", "1", "--run-dir", f"r{delay}", run.script(WAITING))
        time.sleep(delay)  # any moment will do
        run.end()
        eventually(lambda: not agents_in(run.folder), within_s=10.0)


def test_a_killed_agent_costs_nothing_and_comes_back(run: HostsRun) -> None:
    run.on("127.0.0.2 127.0.0.3", "-n", "2", run.script(WAITING))
    up(run, 2)
    first = agents_in(run.folder)
    first[0].kill()
    wait_for(run, r"127\.0\.0\.\d is lost: .*the run goes on with 1 of 2 hosts")
    wait_for(run, r"127\.0\.0\.\d is there again, with 1 workers")
    up(run, 2)
    assert len(set(agents_in(run.folder)) - set(first)) == 1
    run.script("", "go")
    assert run.finish() == SQUARES


def test_the_work_of_a_dead_host_is_done_elsewhere(run: HostsRun) -> None:
    run.on("127.0.0.2 127.0.0.3", "-n", "2", run.script(WAITING))
    run.wait_until(lambda s: sum(w["state"] == "busy" for w in s["workers"]) == 2)
    (victim,) = [process for process in sshs_of(run) if "127.0.0.2" in process.cmdline()]
    victim.kill()
    wait_for(run, r"127\.0\.0\.2 is lost: its ssh was killed by SIGKILL; .* 1 of 2 hosts")
    run.script("", "go")
    assert run.finish() == SQUARES


def test_the_only_host_comes_back(run: HostsRun) -> None:
    """Nobody is left for a while: the run says so, waits, and goes on."""
    run.on("127.0.0.2", "-n", "2", run.script(WAITING))
    up(run, 2)
    (agent,) = agents_in(run.folder)
    agent.kill()
    wait_for(run, r"127\.0\.0\.2 is lost: .*no other host is there; it is tried again in 1 s")
    wait_for(run, r"127\.0\.0\.2 is there again")
    run.script("", "go")
    assert run.finish() == SQUARES


def test_a_broker_that_dies_is_found_again(run: HostsRun) -> None:
    run.on("127.0.0.2", "--tunnel", "-n", "2", run.script(WAITING))
    up(run, 2)
    agents = agents_in(run.folder)
    run.kill("broker")
    run.wait_until(lambda s: s["broker"]["restarts"] == 1 and s["broker"]["pid"])
    up(run, 2)
    run.script("", "go")
    assert run.finish() == SQUARES
    assert len(agents) == 1
    assert "is lost" not in run.errors


def test_an_agent_without_a_broker_does_not_stay_for_ever(run: HostsRun) -> None:
    """When the network is cut, nobody tells it that its launcher is gone: it ends by itself."""
    shorter = shortened(run.folder, "ORPHAN_S", 6.0)  # a busy machine takes some to start all
    run.on("127.0.0.2", "--pythonpath", shorter, "-n", "1", run.script(WAITING))
    up(run, 1)
    (agent,) = agents_in(run.folder)
    (broker,) = run.kill("broker", number=signal.SIGSTOP)
    assert psutil.wait_procs([agent], timeout=20.0)[1] == []
    os.kill(broker, signal.SIGCONT)
    wait_for(run, "127.0.0.2: no broker has answered for 6s; no other host is there")
    wait_for(run, "127.0.0.2 is there again")
    run.script("", "go")
    assert run.finish() == SQUARES
