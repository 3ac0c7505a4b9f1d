"""Collections, coupons and claims in the embedded store: what is compared, what is written, what older files become."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database, Migrations

from reference_server.engine.policy import Policy
from reference_server.engine.state import (
    CartHead,
    Changes,
    Claim,
    CollectionHead,
    Effect,
    Entry,
    GuestReading,
    Line,
    QueueMark,
    Record,
    coupons_of,
)
from reference_server.storage import Operand, Store, StoreFailedError, Wanted, open_store, sqlite_schema

GUEST = ("guest", "basket")


def changes_in(store: Store, sequence: int = 1, principal: str = "ada", **fields: Any) -> Changes:
    """A commit of the operation at a sequence of the principal's queue."""
    before = QueueMark(sequence - 1, f"key-{sequence - 1}" if sequence > 1 else "")
    changes = Changes(
        store_id=store.store_id,
        principal=principal,
        queue_id="queue",
        contact_time_us=5,
        expected_queue=before,
        queue=QueueMark(sequence, f"key-{sequence}"),
        records=(Record(sequence, f"key-{sequence}", b"digest", 2, b"", 5),),
    )
    return replace(changes, **fields)


def wanted(principal: str = "ada", **operand: Any) -> Wanted:
    return Wanted(principal, "queue", (Operand(99, "key-99", **operand),))


def wishes(store: Store, **fields: Any) -> Changes:
    """Three entries, in another order than that of their names."""
    given: dict[str, Any] = {
        "expected_collections": {"wishlist": CollectionHead()},
        "collections": {"wishlist": CollectionHead(3, 5, 3)},
        "entries": {
            ("wishlist", "pear"): Entry(1, 1, b"1"),
            ("wishlist", "fig"): Entry(2, 2, b"2"),
            ("wishlist", "kiwi"): Entry(3, 3, b"3"),
        },
    }
    return changes_in(store, **{**given, **fields})


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    opened = open_store("sqlite::memory:", Policy(), keep_effects=True)
    yield opened
    await opened.close()


async def test_entries_are_read_as_they_were_written_one_by_one_and_whole(store: Store) -> None:
    assert await store.commit(wishes(store))
    some = await store.read(wanted(entries=(("wishlist", "fig"), ("wishlist", "plum"), ("address_book", "x"))))
    assert some.collections == {"wishlist": CollectionHead(3, 5, 3)}
    assert some.entries == {("wishlist", "fig"): Entry(2, 2, b"2")}
    whole = await store.read(wanted(whole_collections=("wishlist",)))
    assert {name: entry.value for (_, name), entry in whole.entries.items()} == {
        "pear": b"1",
        "fig": b"2",
        "kiwi": b"3",
    }
    assert (await store.read(wanted("bob", whole_collections=("wishlist",)))).entries == {}


async def test_more_entries_than_one_statement_takes_are_read(store: Store) -> None:
    names = [("wishlist", f"sku {n}") for n in range(1_203)]
    await store.commit(wishes(store, entries={name: Entry(n, n, b"") for n, name in enumerate(names)}))
    assert set((await store.read(wanted(entries=tuple(names)))).entries) == set(names)


async def test_a_collection_is_listed_in_the_order_of_addition_page_by_page(store: Store) -> None:
    await store.commit(wishes(store))
    everything = await store.read_collection("ada", "wishlist", "queue")
    assert [name for name, _ in everything.entries] == ["pear", "fig", "kiwi"]
    assert (everything.more, everything.decided_through_sequence, everything.head.entry_count) == (False, 1, 3)
    first = await store.read_collection("ada", "wishlist", limit=2)
    assert ([name for name, _ in first.entries], first.more, first.decided_through_sequence) == (
        ["pear", "fig"],
        True,
        None,
    )
    rest = await store.read_collection("ada", "wishlist", after_revision=2, limit=1)
    assert ([name for name, _ in rest.entries], rest.more) == (["kiwi"], False)
    nothing = await store.read_collection("bob", "wishlist")
    assert (nothing.entries, nothing.head, nothing.more) == ((), CollectionHead(), False)


async def test_an_entry_is_replaced_and_deleted(store: Store) -> None:
    await store.commit(wishes(store))
    assert await store.commit(
        changes_in(
            store,
            2,
            collections={"wishlist": CollectionHead(5, 6, 2)},
            entries={("wishlist", "fig"): Entry(2, 4, b"new"), ("wishlist", "kiwi"): None, ("wishlist", "nut"): None},
        )
    )
    contents = await store.read_collection("ada", "wishlist")
    assert dict(contents.entries) == {"pear": Entry(1, 1, b"1"), "fig": Entry(2, 4, b"new")}
    assert contents.head == CollectionHead(5, 6, 2)


async def test_a_commit_is_refused_whole_when_a_judged_collection_has_moved(store: Store) -> None:
    await store.commit(wishes(store))
    entries = {("wishlist", "plum"): Entry(4, 4, b"")}
    head = CollectionHead(3, 5, 3)
    for stale in (
        {"wishlist": CollectionHead()},
        {"wishlist": replace(head, revision=2)},
        {"wishlist": replace(head, entry_count=2)},
        {"wishlist": head, "address_book": head},
    ):
        assert not await store.commit(changes_in(store, 2, expected_collections=stale, entries=entries))
    assert not await store.commit(changes_in(store, 2, expected_claimed=True))
    assert (await store.read(wanted())).queue == QueueMark(1, "key-1")
    right = {"wishlist": head, "address_book": CollectionHead()}
    assert await store.commit(changes_in(store, 2, expected_collections=right, entries=entries))


async def test_coupons_are_shown_with_their_cart_in_the_order_they_were_applied(store: Store) -> None:
    name = coupons_of("basket")
    await store.commit(
        changes_in(
            store,
            carts={"basket": CartHead(4, "GBP", 5)},
            entries={(name, "B"): Entry(3, 3, b""), (name, "A"): Entry(4, 4, b"")},
        )
    )
    assert (await store.read_cart("ada", "basket")).coupon_codes == ("B", "A")
    assert (await store.read_cart("ada", "other")).coupon_codes == ()
    assert (await store.read_cart("bob", "basket")).coupon_codes == ()


# Claims


def guests_cart(store: Store) -> Changes:
    return changes_in(
        store,
        principal="guest",
        carts={"basket": CartHead(2, "GBP", 5, 1)},
        lines={("basket", "apple"): Line(3, 2, "queue", 0), ("basket", "fig"): Line(0, 1, "queue", 0)},
    )


def a_claim(store: Store, **fields: Any) -> Changes:
    given: dict[str, Any] = {
        "expected_guests": {GUEST: GuestReading(None, frozenset(), CartHead(2, "GBP", 5, 1), {"apple": 3})},
        "claims": (Claim("guest", "basket", "ada"),),
    }
    return changes_in(store, **{**given, **fields})


async def test_of_a_guest_the_cart_is_read_and_the_accounts_lines_of_its_skus(store: Store) -> None:
    await store.commit(guests_cart(store))
    await store.commit(
        changes_in(
            store,
            carts={"mine": CartHead(2, "GBP", 5, 2)},
            lines={("mine", "apple"): Line(1, 1, "queue", 0), ("mine", "pear"): Line(1, 2, "queue", 0)},
        )
    )
    reading = await store.read(wanted(cart_id="mine", guest=GUEST))
    assert reading.guests == {GUEST: GuestReading(None, frozenset(), CartHead(2, "GBP", 5, 1), {"apple": 3})}
    assert reading.lines == {("mine", "apple"): Line(1, 1, "queue", 0)}
    assert not reading.claimed
    nobody = await store.read(wanted(guest=("nobody", "basket")))
    assert nobody.guests == {("nobody", "basket"): GuestReading()}


async def test_a_claim_closes_the_cart_and_the_guest_and_keeps_the_lines(store: Store) -> None:
    await store.commit(guests_cart(store))
    assert await store.commit(a_claim(store))
    cart = await store.read_cart("guest", "basket")
    assert cart.head == CartHead(2, "GBP", 5, 1, closed=True)
    assert cart.quantities == {"apple": 3}
    assert (await store.read(wanted("guest"))).claimed
    assert not (await store.read(wanted("ada"))).claimed
    reading = await store.read(wanted(cart_id="mine", guest=("guest", "other")))
    assert reading.guests[("guest", "other")] == GuestReading("ada", frozenset(), None)
    reading = await store.read(wanted(cart_id="mine", guest=GUEST))
    assert reading.guests[GUEST] == GuestReading("ada", frozenset({"basket"}), cart.head, {"apple": 3})


async def test_however_many_carts_of_a_guest_were_claimed_one_claim_reads_of_one(store: Store) -> None:
    """One account may claim any number of carts that were never there; the next claim must not pay for them."""
    await store.commit(
        a_claim(store, expected_guests={}, claims=tuple(Claim("guest", f"cart-{n}", "ada") for n in range(1_000)))
    )
    reading = await store.read(wanted(cart_id="mine", guest=("guest", "cart-7")))
    assert reading.guests == {("guest", "cart-7"): GuestReading("ada", frozenset({"cart-7"}), None)}


async def test_a_claim_is_refused_when_the_guest_or_its_cart_has_moved(store: Store) -> None:
    await store.commit(guests_cart(store))
    head = CartHead(2, "GBP", 5, 1)
    for stale in (
        GuestReading("bob", frozenset({"other"}), head),
        GuestReading(None, frozenset(), None),
        GuestReading(None, frozenset(), replace(head, revision=1)),
        GuestReading(None, frozenset(), replace(head, closed=True)),
    ):
        assert not await store.commit(a_claim(store, expected_guests={GUEST: stale}))
    assert not (await store.read(wanted("guest"))).claimed
    assert await store.commit(a_claim(store))
    assert not await store.commit(a_claim(store, principal="bob"))


async def test_an_operation_of_a_guest_is_refused_once_the_guest_is_claimed(store: Store) -> None:
    await store.commit(a_claim(store, expected_guests={}))
    assert not await store.commit(guests_cart(store))
    assert await store.commit(replace(guests_cart(store), expected_claimed=True, carts={}, lines={}))


async def test_one_cart_is_claimed_once_only_whatever_a_decision_says(store: Store) -> None:
    await store.commit(a_claim(store, expected_guests={}))
    with pytest.raises(StoreFailedError):
        await store.commit(a_claim(store, principal="bob", expected_guests={}))
    assert (await store.read(wanted("bob"))).queue == QueueMark()


# The ledger, saves, older files


async def test_the_ledger_tells_lines_and_entries_apart(store: Store) -> None:
    effects = (
        Effect("queue", 1, "key-1", "basket", 1, "apple", 0, 2),
        Effect("queue", 1, "key-1", "basket", 2, resource="coupon", entry_id="TENTH", present=True),
        Effect("queue", 1, "key-1", "", 3, resource="wishlist", entry_id="fig", present=False),
    )
    await store.commit(changes_in(store, effects=effects))
    assert tuple(await store.effects("ada")) == effects


async def test_a_restore_puts_collections_and_claims_back(store: Store) -> None:
    await store.save("empty")
    await store.commit(wishes(store, claims=(Claim("guest", "basket", "ada"),)))
    await store.restore("empty")
    assert (await store.read_collection("ada", "wishlist")).head == CollectionHead()
    assert not (await store.read(wanted("guest"))).claimed


def test_what_an_entry_holds_is_not_in_its_repr() -> None:
    assert "secret" not in repr(Entry(1, 1, b"secret"))


def of_the_first_edition(path: Path) -> None:
    """A store as the first release of the server left it, with one line and one effect."""
    (first, *_) = sqlite_schema.MIGRATIONS._migrations
    released = Migrations(sqlite_schema.MIGRATIONS.name)
    released()(first.fn)
    connection = sqlite3.connect(path)
    released.apply(Database(connection))
    connection.execute("INSERT INTO store (only_row, store_id, digest_key) VALUES (1, 'old', X'00')")
    connection.execute("INSERT INTO carts VALUES (1, 'ada', 'basket', 1, 'GBP', 5, 1, 0)")
    connection.execute("INSERT INTO lines VALUES (1, 'apple', 2, 1, 'queue', 0)")
    connection.execute("INSERT INTO effects VALUES (1, 'ada', 'queue', 1, 'key-1', 'basket', 1, 'apple', 0, 2)")
    connection.commit()
    connection.close()


async def test_a_store_of_the_first_edition_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    of_the_first_edition(path)
    store = open_store(f"sqlite:{path}", Policy(), keep_effects=True)
    try:
        assert store.store_id == "old"
        assert (await store.read_cart("ada", "basket")).quantities == {"apple": 2}
        assert await store.effects("ada") == [Effect("queue", 1, "key-1", "basket", 1, "apple", 0, 2)]
        assert await store.commit(wishes(store))
        assert (await store.read_collection("ada", "wishlist")).head.entry_count == 3
    finally:
        await store.close()


async def test_a_save_of_the_first_edition_can_be_put_back(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    store = open_store(f"sqlite:{path}", Policy())
    try:
        saves = tmp_path / "store.sqlite.saves"
        saves.mkdir()
        of_the_first_edition(saves / "old.sqlite")
        await store.commit(wishes(store))
        await store.restore("old")
        assert (await store.read_cart("ada", "basket")).quantities == {"apple": 2}
        assert (await store.read_collection("ada", "wishlist")).head == CollectionHead()
        assert await store.commit(wishes(store))
    finally:
        await store.close()
