"""Wishlist, address book and payment methods as submissions see and leave them: revisions, races, crashes, limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from cartsync.v1 import outcome_pb2
from settled_shop import APPLIED, REJECTED, Attempt, Queue, Shop, changed, open_shop, reason, reasons

from reference_server.engine.listings import Listings
from reference_server.engine.policy import PROFILES, Policy
from reference_server.engine.state import ADDRESS_BOOK, WISHLIST, Effect
from reference_server.ports import PaymentDetails
from reference_server.settlement import StoreChangedError
from reference_server.storage import StoreFailedError

HOME = "0b0c5f1e-0000-4000-8000-000000000001"
WORK = "0b0c5f1e-0000-4000-8000-000000000002"
WHOLE: dict[str, Any] = {"recipient": "Ada", "address_lines": ["1 Road"], "region_code": "GB"}


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as opened:
        yield opened


@pytest.fixture
def queue() -> Queue:
    return Queue()


def told(outcome: outcome_pb2.Outcome) -> tuple[str, int, bool]:
    """Reason (empty: applied), revision, changed."""
    return reason(outcome), outcome.revision, outcome.changed


# Wishlist


async def test_wishes_stand_in_the_order_they_were_added(shop: Shop, queue: Queue) -> None:
    sent = [queue.wish("zebra"), queue.wish("apple"), queue.wish("zebra"), queue.unwish("zebra"), queue.wish("zebra")]
    results = await shop.send(queue, *sent)
    assert [told(r.outcome) for r in results] == [
        ("", 1, True),
        ("", 2, True),
        ("", 2, False),
        ("", 3, True),
        ("", 4, True),
    ]
    assert await shop.wishes() == ["apple", "zebra"]


async def test_the_revision_of_the_wishlist_has_nothing_to_do_with_those_of_carts(shop: Shop, queue: Queue) -> None:
    results = await shop.send(queue, queue.add(), queue.add(), queue.wish("x"), queue.add(), queue.unwish("y"))
    assert [r.outcome.revision for r in results] == [1, 2, 1, 3, 1]


async def test_no_catalogue_is_asked_for_a_wish(shop: Shop, queue: Queue) -> None:
    shop.shelf.reachable = False
    assert told(await shop.outcome(queue, queue.wish("never heard of"))) == ("", 1, True)


async def test_a_full_wishlist_takes_no_new_entry_until_one_goes(queue: Queue) -> None:
    async with open_shop(Policy(max_wishlist_entry_count=100)) as shop:
        await shop.send(queue, *[queue.wish(f"sku {n}") for n in range(100)])
        full = [queue.wish("more"), queue.wish("sku 5"), queue.unwish("sku 5"), queue.wish("more")]
        results = await shop.send(queue, *full)
        assert [told(r.outcome) for r in results] == [
            ("WISHLIST_FULL", 100, False),
            ("", 100, False),
            ("", 101, True),
            ("", 102, True),
        ]
        assert len(await shop.wishes()) == 100


async def test_a_wish_never_is_older_than_the_change_before_it(shop: Shop, queue: Queue) -> None:
    first = await shop.outcome(queue, queue.wish("apple"))
    shop.clock.advance(timedelta(hours=-1))
    second = await shop.outcome(queue, queue.wish("bread"))
    assert second.decide_time == first.decide_time
    entries = Listings().wishlist_entries(await shop.settlement.collection("ada", WISHLIST))
    assert [entry.add_time for entry in entries] == [first.decide_time, second.decide_time]


async def test_a_page_goes_on_behind_the_last_entry_shown(shop: Shop, queue: Queue) -> None:
    await shop.send(queue, *[queue.wish(f"sku {n}") for n in range(5)])
    page = await shop.settlement.collection("ada", WISHLIST, limit=2)
    assert ([sku for sku, _ in page.entries], page.more) == (["sku 0", "sku 1"], True)
    await shop.send(queue, queue.unwish("sku 1"), queue.unwish("sku 2"), queue.wish("sku 0"), queue.wish("sku 9"))
    after = page.entries[-1][1].added_revision
    rest = await shop.settlement.collection("ada", WISHLIST, queue.queue_id, after_revision=after, limit=3)
    assert ([sku for sku, _ in rest.entries], rest.more) == (["sku 3", "sku 4", "sku 9"], False)
    assert rest.decided_through_sequence == 9
    assert rest.head.revision == 8


# Addresses


async def test_an_edit_keeps_what_another_device_changed_and_says_so(shop: Shop, queue: Queue) -> None:
    other = Queue()
    await shop.send(queue, queue.put(HOME, base=0, **WHOLE))
    await shop.send(other, other.put(HOME, base=1, recipient="Bob", label="Home"))
    outcome = await shop.outcome(queue, queue.put(HOME, base=1, recipient="Eve", company="ACME"))
    assert told(outcome) == ("", 3, True)
    (adjustment,) = outcome.adjustments
    assert (adjustment.field_kept.field, adjustment.field_kept.kept.recipient) == ("recipient", "Bob")
    address = (await shop.addresses())[HOME]
    assert (address.recipient, address.company, address.label) == ("Bob", "ACME", "Home")


async def test_in_one_submission_each_edit_sees_what_the_one_before_left(shop: Shop, queue: Queue) -> None:
    results = await shop.send(
        queue,
        queue.put(HOME, base=0, **WHOLE),
        queue.put(HOME, base=0, label="Home"),
        queue.delete_address(HOME, base=0),
        queue.put(HOME, base=2, label="Den"),
        queue.put(HOME, base=0, **WHOLE),
        queue.delete_address(WORK),
    )
    assert [told(r.outcome) for r in results] == [
        ("", 1, True),
        ("", 2, True),
        ("", 3, True),
        ("ADDRESS_NOT_FOUND", 3, False),
        ("", 4, True),
        ("", 4, False),
    ]
    assert (await shop.addresses())[HOME].label == ""


async def test_a_deletion_loses_to_a_concurrent_edit(shop: Shop, queue: Queue) -> None:
    other = Queue()
    await shop.send(queue, queue.put(HOME, **WHOLE))
    await shop.send(other, other.put(HOME, base=1, label="Home"))
    assert told(await shop.outcome(queue, queue.delete_address(HOME, base=1))) == ("ADDRESS_CHANGED", 2, False)
    assert told(await shop.outcome(queue, queue.delete_address(HOME, base=2))) == ("", 3, True)


async def test_a_book_takes_as_many_addresses_as_the_policy_says(queue: Queue) -> None:
    async with open_shop(Policy(max_address_count=10)) as shop:
        ids = [f"0b0c5f1e-0000-4000-8000-0000000001{n:02}" for n in range(11)]
        results = await shop.send(queue, *[queue.put(address_id, **WHOLE) for address_id in ids])
        assert reasons(results) == [""] * 10 + ["ADDRESS_BOOK_FULL"]
        assert told(await shop.outcome(queue, queue.put(ids[0], label="x"))) == ("", 11, True)


async def test_addresses_are_listed_by_id_with_the_revision_of_their_last_change(shop: Shop, queue: Queue) -> None:
    await shop.send(queue, queue.put(WORK, **WHOLE), queue.put(HOME, **WHOLE), queue.put(WORK, label="Work"))
    contents = await shop.settlement.collection("ada", ADDRESS_BOOK, queue.queue_id)
    listed = Listings().addresses(contents)
    assert [(entry.address_id, entry.change_revision) for entry in listed] == [(HOME, 2), (WORK, 3)]
    assert (contents.head.revision, contents.decided_through_sequence) == (3, 3)


# Payment methods


async def test_a_payment_method_is_kept_as_the_provider_described_it_when_it_was_saved(
    shop: Shop, queue: Queue
) -> None:
    assert told(await shop.outcome(queue, queue.save(HOME, label="Mine"))) == ("", 1, True)
    shop.till.tokens["tok_1"] = PaymentDetails("visa", "1111", 1, 2031)
    method = (await shop.payment_methods())[HOME]
    assert (method.brand, method.last_four, method.expiry_month, method.expiry_year) == ("visa", "1111", 12, 2029)
    assert (method.provider, method.label, method.change_revision) == ("acme", "Mine", 1)
    assert told(await shop.outcome(queue, queue.save(HOME, label="Mine"))) == ("", 2, True)
    assert told(await shop.outcome(queue, queue.save(HOME, label="Mine"))) == ("", 2, False)
    assert (await shop.payment_methods())[HOME].expiry_year == 2031


async def test_a_token_is_checked_when_it_is_decided_and_never_for_a_duplicate(shop: Shop, queue: Queue) -> None:
    attempt = queue.save(HOME)
    shop.till.reachable = False
    assert reason(await shop.outcome(queue, attempt)) == "BACKEND_UNAVAILABLE"
    shop.till.reachable = True
    kept = await shop.outcome(queue, attempt)
    assert kept.state == APPLIED
    asked_count, shop.till.reachable = shop.till.asked_count, False
    del shop.till.tokens["tok_1"]
    assert await shop.outcome(queue, attempt) == kept
    assert shop.till.asked_count == asked_count
    assert told(await shop.outcome(queue, queue.delete_method(HOME))) == ("", 2, True)
    shop.till.reachable = True
    assert told(await shop.outcome(queue, queue.save(HOME))) == ("PAYMENT_TOKEN_INVALID", 2, False)


async def test_saving_has_a_limit_of_its_own_that_lets_everything_else_pass(shop: Shop, queue: Queue) -> None:
    shop.saving_gate.remaining = 1
    sent = [queue.save(HOME), queue.add(), queue.save(WORK, "stolen"), queue.add()]
    results = await shop.send(queue, *sent)
    assert reasons(results) == ["", "", "RATE_LIMITED", "PREDECESSOR_NOT_DECIDED"]
    assert results[2].outcome.refusal.retry_delay.ToTimedelta() == timedelta(seconds=3)
    other = Queue()
    assert reasons(await shop.send(other, other.add(), other.delete_method(HOME))) == ["", ""]
    shop.saving_gate.remaining = 5
    assert reasons(await shop.send(queue, *sent)) == ["", "", "PAYMENT_TOKEN_INVALID", ""]
    assert shop.saving_gate.remaining == 4  # a rejection counts, a duplicate does not


async def test_saving_counts_to_both_limits(shop: Shop, queue: Queue) -> None:
    shop.gate.remaining, shop.saving_gate.remaining = 10, 10
    await shop.send(queue, queue.save(HOME), queue.add(), queue.delete_method(HOME))
    assert (shop.gate.remaining, shop.saving_gate.remaining) == (7, 9)
    shop.gate.remaining = 0
    assert reasons(await shop.send(queue, queue.save(HOME))) == ["RATE_LIMITED"]


async def test_overlapping_submissions_stay_within_the_limit_for_saving(shop: Shop) -> None:
    shop.saving_gate.remaining = 3
    queues = [Queue() for _ in range(8)]
    ids = [f"0b0c5f1e-0000-4000-8000-0000000002{n:02}" for n in range(8)]
    sent = await asyncio.gather(*(shop.send(q, q.save(i)) for q, i in zip(queues, ids, strict=True)))
    assert sorted(reason(results[0].outcome) for results in sent) == [""] * 3 + ["RATE_LIMITED"] * 5
    assert shop.saving_gate.remaining == 0


# Card numbers


CARD = "4111 1111 1111 1111"


def with_card_number(queue: Queue, field: str) -> Attempt:
    context: dict[str, Any] = {"session_context": {"client_name": f"x {CARD}"}}
    return {
        "session_context.client_name": lambda: queue.add(**context),
        "required_features": lambda: queue.add(required_features=["gift", CARD]),
        "apply_coupon.coupon_code": lambda: queue.apply(CARD),
        "put_address.address.label": lambda: queue.put(HOME, mask=["recipient"], recipient="Ada", label=CARD),
        "save_payment_method.provider_token": lambda: queue.save(HOME, CARD.replace(" ", "")),
    }[field]()


@pytest.mark.parametrize(
    "field",
    [
        "session_context.client_name",
        "required_features",
        "apply_coupon.coupon_code",
        "put_address.address.label",
        "save_payment_method.provider_token",
    ],
)
async def test_a_card_number_is_refused_and_nothing_of_it_is_kept(
    queue: Queue, field: str, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "store.sqlite"
    async with open_shop(address=f"sqlite:{path}") as shop:
        attempt = with_card_number(queue, field)
        outcome = await shop.outcome(queue, attempt)
        assert reason(outcome) == "CARD_NUMBER_REFUSED"
        assert [violation.field for violation in outcome.refusal.field_violations] == [field]
        assert shop.till.asked_count == 0
        assert await shop.outcome(queue, attempt) == outcome
        # Of its payload nothing is known but the kind and the fact.
        without = changed(attempt, session_context={"client_name": "y"})
        without.operation.ClearField("session_context")
        if field == "session_context.client_name":
            assert reason(await shop.outcome(queue, without)) == "PAYLOAD_MISMATCH"
        assert reason(await shop.outcome(queue, queue.add())) == ""
    for file in tmp_path.rglob("*"):
        for form in (CARD, CARD.replace(" ", "")):
            assert form.encode() not in file.read_bytes()
    assert CARD not in caplog.text
    assert "1111" not in str(outcome.refusal)


async def test_a_duplicate_with_another_card_number_gets_the_recorded_refusal(shop: Shop, queue: Queue) -> None:
    attempt = queue.put(HOME, **{**WHOLE, "company": CARD})
    first = await shop.outcome(queue, attempt)
    attempt.operation.put_address.address.company = "5555555555554444"
    (again,) = await shop.send(queue, attempt)
    assert (again.outcome, again.replayed) == (first, True)
    attempt.operation.put_address.address.company = "ACME"
    assert reason(await shop.outcome(queue, attempt)) == "PAYLOAD_MISMATCH"


async def test_the_card_number_comes_before_everything_else_about_the_operation(shop: Shop, queue: Queue) -> None:
    shop.till.reachable = False
    attempt = queue.draft(
        required_features=["gift"],
        session_context={"locale": CARD},
        save_payment_method={"label": "x" * 40_000},
        age=timedelta(days=9),
    )
    assert told(await shop.outcome(queue, attempt)) == ("CARD_NUMBER_REFUSED", 0, False)


async def test_a_gtin_is_no_card_number(shop: Shop, queue: Queue) -> None:
    gtin = "4006381333908"  # passes the same check
    shop.shelf.put(gtin)
    assert reasons(await shop.send(queue, queue.add(gtin), queue.wish(gtin))) == ["", ""]


# What is not listed


@pytest.mark.parametrize("profile", ["wishlist", "address_book", "payment_methods"])
async def test_an_intent_of_a_profile_that_is_not_listed_is_unsupported_and_the_queue_goes_on(
    profile: str, queue: Queue
) -> None:
    kept = tuple(name for name in PROFILES if name != profile)
    async with open_shop(Policy(profiles=kept)) as shop:
        shop.saving_gate.remaining = 0
        drafts: dict[str, Callable[[], Attempt]] = {
            "wishlist": queue.wish,
            "address_book": partial(queue.put, HOME),
            "payment_methods": partial(queue.save, HOME),
        }
        attempt = drafts[profile]()
        assert told(await shop.outcome(queue, attempt)) == ("UNSUPPORTED_INTENT", 0, False)
        assert told(await shop.outcome(queue, queue.add())) == ("", 1, True)
        assert shop.till.asked_count == 0


# Refusals on the way


async def test_a_refusal_on_the_way_carries_the_revision_of_its_resource(shop: Shop, queue: Queue) -> None:
    await shop.send(queue, queue.wish("apple"), queue.put(HOME, **WHOLE), queue.put(HOME, label="x"), queue.add())
    results = await shop.send(
        queue,
        queue.wish(" "),
        queue.put("no uuid"),
        queue.wish("x", required_features=["gift"]),
        queue.put(HOME, rest={"age": timedelta(days=9)}, label="y"),
        queue.delete_method("no uuid"),
    )
    assert [told(r.outcome) for r in results] == [
        ("MALFORMED", 1, False),
        ("MALFORMED", 2, False),
        ("UNSUPPORTED_FEATURE", 1, False),
        ("REPLAY_WINDOW_EXPIRED", 2, False),
        ("MALFORMED", 0, False),
    ]


# Races


async def test_two_queues_on_one_wishlist_lose_no_entry(shop: Shop, queue: Queue) -> None:
    other = Queue()
    hold = shop.breakpoints.hold_before_commit()
    slow = asyncio.create_task(shop.send(queue, queue.wish("apple"), queue.wish("bread")))
    await hold.reached.wait()
    await shop.send(other, other.wish("bread"))
    hold.go.set()
    assert [told(r.outcome) for r in await slow] == [("", 2, True), ("", 2, False)]
    assert await shop.wishes() == ["bread", "apple"]


async def test_a_rejection_is_judged_by_what_is_there_when_it_is_recorded(queue: Queue) -> None:
    async with open_shop(Policy(max_wishlist_entry_count=100)) as shop:
        other = Queue()
        await shop.send(other, *[other.wish(f"sku {n}") for n in range(100)])
        hold = shop.breakpoints.hold_before_commit()
        slow = asyncio.create_task(shop.send(queue, queue.wish("more")))
        await hold.reached.wait()
        await shop.send(other, other.unwish("sku 7"))
        hold.go.set()
        assert [told(r.outcome) for r in await slow] == [("", 102, True)]


async def test_two_edits_of_one_address_at_once_lose_no_field(shop: Shop, queue: Queue) -> None:
    other = Queue()
    await shop.send(queue, queue.put(HOME, **WHOLE))
    hold = shop.breakpoints.hold_before_commit()
    slow = asyncio.create_task(shop.send(queue, queue.put(HOME, base=1, label="Home", company="ACME")))
    await hold.reached.wait()
    await shop.send(other, other.put(HOME, base=1, label="Work", locality="Bath"))
    hold.go.set()
    (result,) = await slow
    assert [a.field_kept.field for a in result.outcome.adjustments] == ["label"]
    address = (await shop.addresses())[HOME]
    assert (address.label, address.company, address.locality) == ("Work", "ACME", "Bath")


async def test_many_queues_at_once_on_every_collection_form_one_history_each(shop: Shop) -> None:
    queues = [Queue() for _ in range(12)]
    ids = [f"0b0c5f1e-0000-4000-8000-0000000003{n:02}" for n in range(12)]
    sent = await asyncio.gather(
        *(
            shop.send(q, q.wish(f"sku {i}"), q.put(i, **WHOLE), q.save(i), q.wish("shared"))
            for q, i in zip(queues, ids, strict=True)
        )
    )
    for place in (1, 2):
        assert sorted(results[place].outcome.revision for results in sent) == list(range(1, 13))
    wishes = [results[place].outcome for results in sent for place in (0, 3)]
    assert sorted(outcome.revision for outcome in wishes if outcome.changed) == list(range(1, 14))
    assert len(await shop.wishes()) == 13
    assert (sorted(await shop.addresses()), sorted(await shop.payment_methods())) == (ids, ids)


async def test_other_collections_do_not_get_in_each_others_way(shop: Shop, queue: Queue) -> None:
    other = Queue()
    hold = shop.breakpoints.hold_before_commit()
    slow = asyncio.create_task(shop.send(queue, queue.wish("apple")))
    await hold.reached.wait()
    await shop.send(other, other.put(HOME, **WHOLE), other.save(HOME), other.add())
    hold.go.set()
    assert [told(r.outcome) for r in await slow] == [("", 1, True)]


# Principals, duplicates, crashes, restores


async def test_principals_are_apart(shop: Shop, queue: Queue) -> None:
    await shop.send(queue, queue.wish("apple"), queue.put(HOME, **WHOLE), queue.save(HOME))
    assert (await shop.wishes("bob"), await shop.addresses("bob"), await shop.payment_methods("bob")) == ([], {}, {})
    mine = Queue()
    results = await shop.send(mine, mine.put(HOME, base=1, label="x"), mine.delete_address(HOME), principal="bob")
    assert [told(r.outcome) for r in results] == [("ADDRESS_NOT_FOUND", 0, False), ("", 0, False)]
    assert list(await shop.addresses()) == [HOME]


async def test_duplicates_are_answered_from_their_records_and_change_nothing(shop: Shop, queue: Queue) -> None:
    sent = [queue.wish("apple"), queue.put(HOME, **WHOLE), queue.save(HOME), queue.unwish("apple")]
    first = await shop.send(queue, *sent)
    again = await shop.send(queue, *sent)
    assert [r.outcome for r in again] == [r.outcome for r in first]
    assert all(r.replayed for r in again)
    assert len(await shop.store.effects("ada")) == 4


async def test_the_ledger_tells_of_every_changed_entry(shop: Shop, queue: Queue) -> None:
    sent = [queue.wish("apple"), queue.wish("apple"), queue.put(HOME, **WHOLE), queue.save(HOME), queue.unwish("apple")]
    await shop.send(queue, *sent)
    keys = [attempt.operation.idempotency_key for attempt in sent]
    assert await shop.store.effects("ada") == [
        Effect(queue.queue_id, 1, keys[0], "", 1, resource="wishlist", entry_id="apple", present=True),
        Effect(queue.queue_id, 3, keys[2], "", 1, resource="address", entry_id=HOME, present=True),
        Effect(queue.queue_id, 4, keys[3], "", 1, resource="payment_method", entry_id=HOME, present=True),
        Effect(queue.queue_id, 5, keys[4], "", 2, resource="wishlist", entry_id="apple", present=False),
    ]


async def test_a_commit_that_breaks_in_its_midst_leaves_nothing_of_any_collection(
    shop: Shop, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reference_server.storage import sqlite_writing

    sent = [queue.wish("apple"), queue.put(HOME, **WHOLE), queue.save(HOME), queue.apply("TENTH")]
    with monkeypatch.context() as broken:
        broken.setattr(sqlite_writing, "_write_claims", lambda *_: 1 / 0)
        with pytest.raises((StoreFailedError, ZeroDivisionError)):
            await shop.send(queue, *sent)
    assert await shop.watermark(queue) == 0
    assert (await shop.wishes(), await shop.addresses(), await shop.payment_methods()) == ([], {}, {})
    assert reasons(await shop.send(queue, *sent)) == ["", "", "", "CART_NOT_FOUND"]
    assert not (await shop.send(queue, *sent))[0].outcome.HasField("refusal")


async def test_everything_survives_a_restart_and_goes_back_with_a_restore(queue: Queue, tmp_path: Any) -> None:
    address = f"sqlite:{tmp_path / 'store.sqlite'}"
    async with open_shop(address=address) as shop:
        await shop.send(queue, queue.wish("apple"), queue.put(HOME, **WHOLE), queue.save(HOME, label="Mine"))
        await shop.store.save("monday")
        await shop.send(queue, queue.unwish("apple"), queue.delete_address(HOME), queue.delete_method(HOME))
    async with open_shop(address=address) as shop:
        assert (await shop.wishes(), await shop.addresses(), await shop.payment_methods()) == ([], {}, {})
        old_id = shop.store.store_id
        await shop.store.restore("monday")
        assert (await shop.wishes(), list(await shop.addresses())) == (["apple"], [HOME])
        assert (await shop.payment_methods())[HOME].label == "Mine"
        with pytest.raises(StoreChangedError):
            await shop.settlement.collection("ada", WISHLIST, expected_store_id=old_id)


async def test_a_read_is_contact_with_its_queue(shop: Shop, queue: Queue) -> None:
    await shop.send(queue, queue.wish("apple"))
    for _ in range(3):
        shop.clock.advance(timedelta(days=300))
        await shop.settlement.collection("ada", WISHLIST, queue.queue_id)
        await shop.store.prune_due(shop.clock.now())
    assert await shop.watermark(queue) == 1


async def test_rejections_and_no_changes_are_recorded_too(shop: Shop, queue: Queue) -> None:
    attempt = queue.put(HOME, base=3, label="x")
    first = await shop.outcome(queue, attempt)
    assert (first.state, reason(first)) == (REJECTED, "ADDRESS_NOT_FOUND")
    other = Queue()
    await shop.send(other, other.put(HOME, **WHOLE))
    (again,) = await shop.send(queue, attempt)
    assert (again.outcome, again.replayed) == (first, True)
