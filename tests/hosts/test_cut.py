"""A machine whose network is cut, or slow: two network namespaces, joined by a wire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from scoop_chaos.real.janitor import Janitor
from scoop_chaos.real.network import ADDRESS, AWAY, HOME, Network

from .conftest import HostsRun, SshServer, start_server
from .seen import SQUARES, WAITING, agents_in, up, wait_for


@pytest.fixture
def network() -> Iterator[Network]:
    """Two machines."""
    with Janitor() as janitor:
        try:
            both = Network(janitor)
        except OSError as error:
            pytest.skip(f"no network namespaces here: {error}")
        yield both


@pytest.fixture
def far(
    server: SshServer, network: Network, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SshServer]:
    """The other machine's ssh server.  (``server`` says whether there can be one at all.)"""
    folder = tmp_path_factory.mktemp("far")
    one = start_server(folder, addresses=(ADDRESS[AWAY],), prefix=tuple(network.on(AWAY)))
    yield one
    one.end()


@pytest.fixture
def run(tmp_path: Path, nothing_left: None, far: SshServer, network: Network) -> Iterator[HostsRun]:
    """A run on the one machine."""
    one = HostsRun(tmp_path, prefix=network.on(HOME))
    one.server = far
    yield one
    network.join()
    one.end()


def test_a_cut_and_joined_network(run: HostsRun, network: Network) -> None:
    """The address is the one from which ssh came; after a cut, one agent is there, not two."""
    run.on(f"localhost {ADDRESS[AWAY]}", "-n", "2", run.script(WAITING))
    run.wait_until(lambda s: sum(w["state"] == "busy" for w in s["workers"]) == 2)
    (before,) = agents_in(run.folder)
    network.cut(HOME, AWAY)
    wait_for(run, rf"{ADDRESS[AWAY]} is lost: .*; the run goes on with 1 of 2 hosts")
    network.join()
    wait_for(run, rf"{ADDRESS[AWAY]} is there again, with 1 workers")
    assert psutil.wait_procs([before], timeout=20.0)[1] == []
    assert len(agents_in(run.folder)) == 1
    up(run, 2)
    run.script("", "go")
    assert run.finish() == SQUARES


@pytest.mark.long
def test_work_goes_on_while_it_is_cut(run: HostsRun, network: Network) -> None:
    run.on(f"localhost {ADDRESS[AWAY]}", "-n", "2", run.script(WAITING))
    run.wait_until(lambda s: sum(w["state"] == "busy" for w in s["workers"]) == 2)
    there = agents_in(run.folder)
    network.cut(HOME, AWAY)
    run.script("", "go")
    assert run.finish() == SQUARES
    network.join()
    for process in there:  # the run is over, and nobody could tell it so
        process.terminate()
    assert psutil.wait_procs(there, timeout=20.0)[1] == []


LARGE = """
import os, pathlib, time
from scoop_ft import futures

def work(number):
    if "SSH_CONNECTION" in os.environ:
        return bytes(3_000_000)
    while not pathlib.Path("go").exists():
        time.sleep(0.02)
    return b""

if __name__ == "__main__":
    both = [futures.submit(work, number) for number in range(2)]
    (first,), _ = futures.wait(both, return_when=futures.FIRST_COMPLETED)
    print(len(first.result()))
    pathlib.Path("go").touch()
    print(sorted(len(future.result()) for future in both))
"""


def test_a_result_takes_longer_over_the_wire_than_a_silent_peer_is_borne(
    run: HostsRun, network: Network
) -> None:
    """Nothing else gets through meanwhile: the connection lives as long as the kernels hear."""
    network.slow(AWAY, "4mbit")  # 6 s for a result, and some for the start
    run.on(f"localhost {ADDRESS[AWAY]}", "-n", "2", run.script(LARGE))
    assert run.finish() == "3000000\n[0, 3000000]\n"
    assert "lost" not in run.errors
