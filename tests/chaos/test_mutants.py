"""Mutants: each one applies to the product as it is, some are caught here, the product is not."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from scoop_chaos.mutants.catalogue import MISSED, MUTANTS
from scoop_chaos.mutants.command import command
from scoop_chaos.mutants.hunt import hunt
from scoop_chaos.mutants.mutant import DoesNotApply, Mutant

from scoop_ft.broker.peers import Peer
from scoop_ft.wire.messages import PROTOCOL_VERSION, Hello

NAMES = {mutant.name: mutant for mutant in MUTANTS}
QUICK = (
    "acknowledge-before-sync", "forget-to-requeue", "said-again-backwards",
    "wrong-ordinal-on-replay", "recall-drops",
)  # fmt: skip
WITHIN = 200


def test_there_are_many_and_each_has_a_name_of_its_own() -> None:
    assert len(NAMES) == len(MUTANTS) >= 30
    assert NAMES.keys().isdisjoint(mutant.name for mutant in MISSED)


@pytest.mark.parametrize("mutant", [*MUTANTS, *MISSED], ids=lambda mutant: mutant.name)
def test_it_applies_to_the_product_and_leaves_no_trace(mutant: Mutant) -> None:
    function = mutant.function()
    whole = function.__code__
    with mutant.applied():
        broken = function.__code__
        assert (broken.co_code, broken.co_consts, broken.co_names) != (
            whole.co_code, whole.co_consts, whole.co_names,
        )  # fmt: skip
    assert function.__code__ is whole


def test_it_changes_what_the_function_does() -> None:
    peer = Peer(Hello(PROTOCOL_VERSION, bytes(8), "worker", "", 1, b"", [], []), 0.0)
    peer.seen, peer.unsettled = 9, {5}
    with NAMES["acknowledge-what-waits"].applied():
        assert peer.settled() == 9
    assert peer.settled() == 4


@pytest.mark.parametrize("old", ["no such line", "self"], ids=["nowhere", "often"])
def test_a_line_that_is_not_there_once_is_refused(old: str) -> None:
    mutant = Mutant("stale", "", "scoop_ft.broker.peers:Peer.settled", old, "pass")
    with pytest.raises(DoesNotApply, match="stale"), mutant.applied():
        raise AssertionError("it was applied")


def test_the_product_as_it_is_is_not_caught() -> None:
    assert hunt(None, 0, 100).violation is None  # `test_sim` runs thousands


@pytest.mark.parametrize("name", QUICK)
def test_it_is_caught(name: str) -> None:
    found = hunt(NAMES[name], 0, WITHIN)
    assert found.violation is not None


def test_an_error_in_a_second_thread_of_a_process_is_a_defect() -> None:
    found = hunt(NAMES["numbers-are-not-counted"], 0, WITHIN)
    assert found.violation is not None
    assert found.violation.invariant == 27
    assert "IndexError" in found.violation.text


def test_the_command_says_who_was_caught_and_who_survives() -> None:
    """A mutant that changes nothing that can be seen from outside is what surviving looks like."""
    caught = CliRunner().invoke(
        command, ["--only", "acknowledge-before-sync", "--seeds", "5", "--markdown"]
    )
    assert caught.exit_code == 0, caught.output
    assert "| acknowledge-before-sync |" in caught.output
    survives = CliRunner().invoke(command, ["--only", "delivered-to-the-unready", "--seeds", "1"])
    assert survives.exit_code == 1
    assert "survived: delivered-to-the-unready" in survives.output
