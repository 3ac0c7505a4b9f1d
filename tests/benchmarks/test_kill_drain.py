"""The kill benchmark in small: real deaths in the middle of a drain, and accounts that were tampered with."""

from __future__ import annotations

import copy
import dataclasses
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cartsync.v1 import policy_pb2, reason_pb2

from benchmarks.kill_drain.accounts import Accounts, collect, differences
from benchmarks.kill_drain.deaths import Instant, Victim, drain, draw_instants
from benchmarks.kill_drain.exceptions import DrainError
from benchmarks.kill_drain.processes import Processes
from benchmarks.kill_drain.shopping import Written, draw_intents, write_down

ROOT = Path(__file__).parents[2]
COUNT = 120


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.kill_drain", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=110)


@pytest.mark.parametrize("victim", ["client", "server"])
def test_nothing_is_lost_and_nothing_happens_twice_when_a_side_is_killed_in_the_middle_of_a_drain(
    victim: str,
) -> None:
    done = run(
        "--victim", victim, "--operations", "400", "--kills", "3", "--aborts", "2", "--batch", "5", "--seed", "5"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{victim} killed with -9, at random" in done.stdout
    assert "nothing lost, nothing twice" in done.stdout


def test_a_folder_that_is_not_empty_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "something").touch()
    done = run("--keep", str(tmp_path))
    assert done.returncode == 1
    assert "not empty" in done.stderr


def test_a_number_that_makes_no_sense_is_named() -> None:
    done = run("--operations", "none")
    assert done.returncode == 2
    assert "'none' is not a whole number" in done.stderr


@dataclass(frozen=True)
class Drained:
    """A queue that was drained over one death after a commit."""

    written: list[Written]
    policy: policy_pb2.SyncPolicy
    accounts: Accounts

    def differences(self, **tampered: object) -> list[str]:
        """What the oracle says of the accounts, some of them replaced."""
        return list(differences(self.written, self.policy, dataclasses.replace(self.accounts, **tampered)))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def drained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drained]:
    processes = Processes(tmp_path_factory.mktemp("drained"), batch=5)
    try:
        processes.start_server()
        policy = processes.prepare()
        with processes.device() as device:
            written = write_down(device, draw_intents(random.Random(3), COUNT))
            queue_id = device.queue().queue_id
        drain(processes, Victim.SERVER, queue_id, COUNT, [Instant.AFTER_COMMIT], random.Random(3))
        yield Drained(written, policy, collect(processes, queue_id, COUNT))
    finally:
        processes.kill(processes.client)
        processes.kill(processes.server)


def test_accounts_of_a_correct_server_are_the_oracles(drained: Drained) -> None:
    assert drained.differences() == []


def test_a_death_after_a_commit_makes_the_client_learn_outcomes_from_a_replay(drained: Drained) -> None:
    assert any(operation.replayed for operation in drained.accounts.told)


def test_another_outcome_told_to_the_client_is_found(drained: Drained) -> None:
    told = list(drained.accounts.told)
    place = next(n for n, operation in enumerate(told) if operation.outcome and operation.outcome.changed)
    outcome = copy.deepcopy(told[place].outcome)
    assert outcome is not None
    outcome.line_change.quantity_after += 1
    told[place] = dataclasses.replace(told[place], outcome=outcome)
    (found,) = drained.differences(told=told)
    assert found.startswith(f"operation {place + 1}: the client was told")


def test_an_outcome_the_client_never_learnt_is_found(drained: Drained) -> None:
    told = list(drained.accounts.told)
    told[-1] = dataclasses.replace(told[-1], outcome=None)
    (found,) = drained.differences(told=told)
    assert found.startswith(f"operation {COUNT}: the client was told no outcome")


def test_another_record_on_the_server_is_found(drained: Drained) -> None:
    recorded = copy.deepcopy(list(drained.accounts.recorded))
    outcome = recorded[0].statuses[0].outcome
    outcome.state = reason_pb2.OUTCOME_STATE_REJECTED
    found = drained.differences(recorded=recorded)
    assert any(text.startswith("operation 1: the server has recorded") for text in found)


def test_a_record_of_another_time_than_the_client_was_told_is_found(drained: Drained) -> None:
    recorded = copy.deepcopy(list(drained.accounts.recorded))
    refused = next(s for s in recorded[0].statuses if s.outcome.state == reason_pb2.OUTCOME_STATE_REJECTED)
    refused.outcome.decide_time.nanos ^= 1
    assert drained.differences(recorded=recorded) == [
        f"operation {refused.sequence}: the client was told otherwise than the server has recorded"
    ]


def test_an_effect_made_twice_is_found(drained: Drained) -> None:
    first = drained.accounts.effects[0]
    found = drained.differences(effects=[first, *drained.accounts.effects])
    assert found[0].startswith(f"operation {first.sequence}: the ledger lists 2 effects")


def test_an_effect_that_is_missing_is_found(drained: Drained) -> None:
    last = drained.accounts.effects[-1]
    found = drained.differences(effects=drained.accounts.effects[:-1])
    assert found[0].startswith(f"operation {last.sequence}: the ledger lists 0 effects")


def test_effects_in_another_order_are_found(drained: Drained) -> None:
    assert drained.differences(effects=drained.accounts.effects[::-1])


def test_one_unit_too_many_in_a_final_cart_is_found(drained: Drained) -> None:
    carts = copy.deepcopy(list(drained.accounts.carts))
    carts[0].cart.lines[0].quantity += 1
    (found,) = drained.differences(carts=carts)
    assert "holds other quantities" in found


def test_a_cart_shown_otherwise_by_the_client_is_found(drained: Drained) -> None:
    shown = {**drained.accounts.shown, "main": {}}
    assert drained.differences(shown=shown) == ["the client shows cart main otherwise than the oracle"]


def test_a_queue_that_was_given_up_is_found(drained: Drained) -> None:
    assert drained.differences(queue_count=2) == ["the client has 2 queues, not one"]


def test_every_death_has_its_place_in_the_order_drawn() -> None:
    instants = draw_instants(random.Random(1), kills=20, aborts=5)
    assert sorted(instant.name for instant in instants) == ["AFTER_COMMIT"] * 5 + ["RANDOM"] * 20


def test_a_death_after_the_drain_is_over_does_not_count(tmp_path: Path) -> None:
    processes = Processes(tmp_path, batch=1)
    try:
        processes.start_server()
        processes.prepare()
        with processes.device() as device:
            write_down(device, draw_intents(random.Random(3), 1))
            queue_id = device.queue().queue_id
        processes.start_client()
        assert processes.client is not None
        processes.client.wait(timeout=60)
        with pytest.raises(DrainError, match="death 1 came too late"):
            drain(processes, Victim.SERVER, queue_id, 1, [Instant.RANDOM], random.Random(3))
    finally:
        processes.kill(processes.client)
        processes.kill(processes.server)
