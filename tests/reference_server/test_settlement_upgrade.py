"""An upgraded server meets the records of the release before (spec: deciding/payload-by-meaning)."""

from __future__ import annotations

from pathlib import Path

import pytest
from settled_shop import APPLIED, REJECTED, Queue, open_shop

from reference_server.engine import digest
from reference_server.engine.cases import Case
from reference_server.engine.deciding import Decider
from reference_server.engine.policy import Policy
from reference_server.engine.refusals import Reason

BEFORE = Policy(profiles=("core", "streaming"))


class ReleaseBefore(Decider):
    """Computes digests over the first list of payload fields, which has no coupons in it."""

    def payload_digest(self, case: Case, version: int = 1) -> bytes:
        return super().payload_digest(case, version)


async def test_what_the_release_before_decided_is_replayed_although_the_list_of_fields_has_grown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, queue = f"sqlite:{tmp_path / 'shop.db'}", Queue()
    attempts = [queue.add(), queue.apply("TENTH")]
    with monkeypatch.context() as patched:
        patched.setattr(digest, "CURRENT_VERSION", 1)
        async with open_shop(BEFORE, address=address, decider=ReleaseBefore(BEFORE)) as shop:
            told = await shop.send(queue, *attempts)
    assert [result.outcome.state for result in told] == [APPLIED, REJECTED]

    async with open_shop(address=address) as shop:
        again = await shop.send(queue, *attempts)

    assert [result.outcome for result in again] == [result.outcome for result in told]
    assert all(result.replayed for result in again)


async def test_what_the_release_before_decided_is_replayed_although_it_has_a_card_number_nobody_looked_for_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, queue = f"sqlite:{tmp_path / 'shop.db'}", Queue()
    attempt = queue.add()
    attempt.operation.session_context.client_version = "4111 1111 1111 1111"
    with monkeypatch.context() as patched:
        patched.setattr(digest, "CURRENT_VERSION", 1)
        async with open_shop(BEFORE, address=address, decider=ReleaseBefore(BEFORE)) as shop:
            (told,) = await shop.send(queue, attempt)
    assert told.outcome.state == APPLIED

    async with open_shop(address=address) as shop:
        (again,) = await shop.send(queue, attempt)

    assert again.replayed
    assert again.outcome == told.outcome


async def test_a_refused_card_number_is_replayed_although_nobody_looks_for_them_any_more(tmp_path: Path) -> None:
    address, queue = f"sqlite:{tmp_path / 'shop.db'}", Queue()
    attempt = queue.add()
    attempt.operation.session_context.client_version = "4111 1111 1111 1111"
    async with open_shop(address=address) as shop:
        (told,) = await shop.send(queue, attempt)
    assert told.outcome.state == REJECTED

    async with open_shop(BEFORE, address=address) as shop:
        (again,) = await shop.send(queue, attempt)
        attempt.operation.session_context.client_version = "1.0"
        (another,) = await shop.send(queue, attempt)

    assert again.replayed
    assert again.outcome == told.outcome
    assert another.outcome.refusal.reason == Reason.REASON_PAYLOAD_MISMATCH
