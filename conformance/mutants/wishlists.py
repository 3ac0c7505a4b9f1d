"""Wishlists that lose their order, their entries or their revisions."""

# ruff: noqa: ARG002 - names and arguments are those of the reference server

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC

from cartsync.v1 import wishlist_pb2

from conformance.mutants.mutant import Mutant, stored_in
from reference_server.engine import instants
from reference_server.engine.cases import Answer, Applied, Case
from reference_server.engine.deciding import Decider
from reference_server.engine.entry_rules import Change, EntryOutcome
from reference_server.engine.kinds import Kind
from reference_server.engine.listings import Listings
from reference_server.engine.policy import Policy
from reference_server.engine.refusals import Reason, Refused, refuse
from reference_server.engine.state import WISHLIST, Changes, CollectionContents, CollectionHead, Head
from reference_server.engine.wishlist_rules import Wish, WishCase, WishlistRules
from reference_server.engine.working import Writes
from reference_server.ports import BackendUnavailableError
from reference_server.storage.sqlite import SqliteStore


class _NewestFirst(Listings):
    def wishlist_entries(self, contents: CollectionContents) -> list[wishlist_pb2.WishlistEntry]:
        return super().wishlist_entries(contents)[::-1]


class _BySku(Listings):
    def wishlist_entries(self, contents: CollectionContents) -> list[wishlist_pb2.WishlistEntry]:
        return sorted(super().wishlist_entries(contents), key=lambda entry: entry.sku)


class _ShoppersClock(Decider):
    """An entry is as old as the shopper's device says."""

    def change(self, case: Case) -> Change:
        change = super().change(case)
        if case.kind != "add_to_wishlist" or not case.operation.HasField("enqueue_time"):
            return change
        return replace(change, time_us=instants.to_us(case.operation.enqueue_time.ToDatetime(UTC)))


class _OldPlace(Decider):
    """What was removed and is added again goes where it was."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._places: dict[tuple[str, str], int] = {}

    def wishlist_rules(self, case: Case) -> Answer | None:
        answer = super().wishlist_rules(case)
        name = WISHLIST, case.intent.sku
        entry = answer.writes.entries.get(name) if isinstance(answer, Applied) else None
        if not isinstance(answer, Applied) or entry is None:
            return answer
        place = self._places.setdefault((case.situation.principal, case.intent.sku), entry.added_revision)
        entries = {**answer.writes.entries, name: replace(entry, added_revision=place)}
        return replace(answer, writes=replace(answer.writes, entries=entries))


class _AnswersOnly(WishlistRules):
    def add(self, case: WishCase) -> EntryOutcome:
        return EntryOutcome(case.value, changed=False)


class _AgainRefused(WishlistRules):
    """Rejects an add of what is there, with the only reason that wishlists have."""

    def wishlist_full(self, case: WishCase) -> Refused | None:
        if case.value is not None:
            return refuse(Reason.REASON_WISHLIST_FULL, "it is on the wishlist already")
        return super().wishlist_full(case)


class _AgainIsNew(WishlistRules):
    """An add of what is there gives it a new time."""

    def add(self, case: WishCase) -> EntryOutcome:
        return EntryOutcome(Wish(case.change.time_us).encoded(), changed=True)


class _AgainGoesToTheEnd(Decider):
    """An add of what is there moves it behind the others, and says that nothing changed."""

    def wishlist_rules(self, case: Case) -> Answer | None:
        answer = super().wishlist_rules(case)
        before = case.working.entry((WISHLIST, case.intent.sku))
        if case.kind != "add_to_wishlist" or not isinstance(answer, Applied) or before is None:
            return answer
        head = case.working.collection(WISHLIST)
        moved = replace(before, added_revision=head.revision + 1)
        return replace(answer, writes=Writes(entries={(WISHLIST, case.intent.sku): moved}))


class _AgainIsAChange(Decider):
    """An add of what is there leaves it alone, and says that it was put there."""

    def wishlist_rules(self, case: Case) -> Answer | None:
        answer = super().wishlist_rules(case)
        if case.kind != "add_to_wishlist" or not isinstance(answer, Applied) or answer.changed:
            return answer
        change, head = self.change(case), case.working.collection(WISHLIST)
        after = replace(head, revision=change.revision, update_time_us=change.time_us)
        return Applied(changed=True, writes=Writes(collections={WISHLIST: after}))


class _KeepsIt(WishlistRules):
    def remove(self, case: WishCase) -> EntryOutcome:
        return EntryOutcome(case.value, changed=False)


class _MissingRefused(Decider):
    """Rejects a removal of what is not there."""

    def wishlist_rules(self, case: Case) -> Answer | None:
        answer = super().wishlist_rules(case)
        if case.kind == "remove_from_wishlist" and isinstance(answer, Applied) and not answer.changed:
            return refuse(Reason.REASON_SKU_UNKNOWN, "it is not on the wishlist")
        return answer


class _MissingIsAChange(WishlistRules):
    def remove(self, case: WishCase) -> EntryOutcome:
        return EntryOutcome(None, changed=True)


class _RemovesOwnOnly(Decider):
    """A queue takes off the wishlist what it has put there, and nothing else."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._makers: dict[tuple[str, str], str] = {}

    def wishlist_rules(self, case: Case) -> Answer | None:
        answer = super().wishlist_rules(case)
        queue_id = case.situation.queue_id
        mine = self._makers.setdefault((case.situation.principal, case.intent.sku), queue_id) == queue_id
        return answer if mine or case.kind == "add_to_wishlist" else Applied(changed=False)


class _SoldOnly(Decider):
    """Rejects a wish for what the catalogue does not know or sell; while it cannot be asked, any will do."""

    def wishlist_rules(self, case: Case) -> Answer | None:
        if case.kind == "add_to_wishlist":
            try:
                offer = case.situation.offers(case.intent.sku)
            except BackendUnavailableError:
                return super().wishlist_rules(case)
            if offer is None:
                return refuse(Reason.REASON_SKU_UNKNOWN, "the catalogue does not know the product")
            if not offer.listed:
                return refuse(Reason.REASON_SKU_UNLISTED, "the product is not for sale")
        return super().wishlist_rules(case)


class _InStockOnly(Decider):
    """Rejects a wish for what is sold out."""

    def wishlist_rules(self, case: Case) -> Answer | None:
        if case.kind == "add_to_wishlist":
            try:
                offer = case.situation.offers(case.intent.sku)
            except BackendUnavailableError:
                offer = None
            if offer is not None and offer.available_quantity == 0:
                return refuse(Reason.REASON_INSUFFICIENT_INVENTORY, "sold out", available_quantity=0)
        return super().wishlist_rules(case)


class _AsksTheCatalogue(Decider):
    """Asks the catalogue about a wish, and waits for its answer, whatever that is."""

    def kind(self, case: Case) -> Kind | None:
        found = super().kind(case)
        return replace(found, look_up="look_up_wish") if found is not None and found.collection == WISHLIST else found

    def look_up_wish(self, case: Case) -> None:
        case.situation.offers(case.intent.sku)


class _AsksBeforeRemoving(Decider):
    """Waits for the catalogue with removals."""

    def kind(self, case: Case) -> Kind | None:
        found = super().kind(case)
        if found is not None and case.kind == "remove_from_wishlist":
            return replace(found, look_up="look_up_wish")
        return found

    def look_up_wish(self, case: Case) -> None:
        case.situation.offers(case.intent.sku)


class _NeverFull(WishlistRules):
    def wishlist_full(self, case: WishCase) -> Refused | None:
        return None


class _FullTooEarly(WishlistRules):
    def wishlist_full(self, case: WishCase) -> Refused | None:
        return super().wishlist_full(replace(case, entry_count=case.entry_count + 1))


class _OneTooMany(WishlistRules):
    def wishlist_full(self, case: WishCase) -> Refused | None:
        return super().wishlist_full(replace(case, entry_count=case.entry_count - 1))


class _FullTakesNothing(WishlistRules):
    """Rejects an add of what is there, too, when the wishlist is full."""

    def wishlist_full(self, case: WishCase) -> Refused | None:
        return super().wishlist_full(replace(case, value=None))


class _NeverLessFull(Decider):
    """Counts what was ever on the wishlist."""

    def on_entry(
        self, case: Case, collection: str, resource: str, entry_id: str, judged: EntryOutcome | Refused
    ) -> Answer:
        answer = super().on_entry(case, collection, resource, entry_id, judged)
        if collection != WISHLIST or not isinstance(answer, Applied) or not answer.changed:
            return answer
        before, after = case.working.collection(WISHLIST), answer.writes.collections[WISHLIST]
        kept = replace(after, entry_count=max(before.entry_count, after.entry_count))
        return replace(answer, writes=replace(answer.writes, collections={WISHLIST: kept}))


class _FullInSilence(Decider):
    """Answers that a wish is applied which a full wishlist does not take."""

    def wishlist_rules(self, case: Case) -> Answer | None:
        answer = super().wishlist_rules(case)
        full = isinstance(answer, Refused) and answer.refusal.reason == Reason.REASON_WISHLIST_FULL
        return Applied(changed=False) if full else answer


class _CountsEntries(Decider):
    """The revision of a wishlist is how many entries it has."""

    def wishlist_rules(self, case: Case) -> Answer | None:
        answer = super().wishlist_rules(case)
        if not isinstance(answer, Applied) or not answer.changed:
            return answer
        head = answer.writes.collections[WISHLIST]
        counted = replace(head, revision=max(1, head.entry_count))
        return replace(answer, writes=replace(answer.writes, collections={WISHLIST: counted}))


class _RemovalKeepsRevision(Decider):
    """A removal gives the wishlist no new revision."""

    def wishlist_rules(self, case: Case) -> Answer | None:
        answer = super().wishlist_rules(case)
        if case.kind != "remove_from_wishlist" or not isinstance(answer, Applied) or not answer.changed:
            return answer
        before = case.working.collection(WISHLIST).revision
        after = replace(answer.writes.collections[WISHLIST], revision=before)
        return replace(answer, writes=replace(answer.writes, collections={WISHLIST: after}))


class _NoRevisionUnchanged(Decider):
    """An outcome on the wishlist that changed nothing carries no revision."""

    def head(self, case: Case) -> Head | None:
        head = super().head(case)
        if not isinstance(head, CollectionHead) or case.kind not in ("add_to_wishlist", "remove_from_wishlist"):
            return head
        there = case.working.entry((WISHLIST, case.intent.sku)) is not None
        return None if there == (case.kind == "add_to_wishlist") else head


class _NextRevisionUnchanged(Decider):
    """An outcome that changed nothing carries the revision that the next change will have."""

    def head(self, case: Case) -> Head | None:
        head = super().head(case)
        if not isinstance(head, CollectionHead) or case.kind not in ("add_to_wishlist", "remove_from_wishlist"):
            return head
        there = case.working.entry((WISHLIST, case.intent.sku)) is not None
        return replace(head, revision=head.revision + 1) if there == (case.kind == "add_to_wishlist") else head


class _Unguarded(SqliteStore):
    """Writes to a wishlist without looking whether another queue has changed it meanwhile."""

    def still_holds(self, changes: Changes) -> bool:
        if WISHLIST in changes.expected_collections:
            changes = replace(changes, expected_collections={})
        return super().still_holds(changes)


class _WritesTheListBack(_Unguarded):
    """Reads the whole list, changes it, and writes the whole list back."""

    def write(self, changes: Changes) -> None:
        if WISHLIST in changes.collections:
            self._connection.execute(
                "DELETE FROM entries WHERE added_revision > ? "
                "AND collection = (SELECT id FROM collections WHERE principal = ? AND name = ?)",
                (changes.expected_collections[WISHLIST].revision, changes.principal, WISHLIST),
            )
        super().write(changes)


def _ruled(rules: type[WishlistRules]) -> Callable[[Policy], Decider]:
    """A decider with these wishlist rules."""
    return lambda policy: Decider(policy, wishlist=rules(policy))


MUTANTS = (
    Mutant(
        "newest-wish-first",
        "Shows each page of a wishlist in reverse.",
        (
            "wishlist/add",
            "wishlist/paging",
            "wishlist/full",
            "wishlist/concurrent",
            "wishlist/remove",
            "wishlist/add-again",
        ),
        "listings",
        _NewestFirst,
    ),
    Mutant(
        "wishes-by-sku",
        "Shows each page of a wishlist in order of the SKUs.",
        (
            "wishlist/add",
            "wishlist/paging",
            "wishlist/full",
            "wishlist/concurrent",
            "wishlist/remove",
            "wishlist/add-again",
        ),
        "listings",
        _BySku,
    ),
    Mutant(
        "wish-by-the-shoppers-clock",
        "Takes the enqueue_time of a wish for its add_time.",
        (
            "wishlist/add",
            "wishlist/add-again",
        ),
        "decider",
        _ShoppersClock,
    ),
    Mutant(
        "wish-at-its-old-place",
        "Puts a wish that was removed and added again where it was.",
        ("wishlist/add",),
        "decider",
        _OldPlace,
    ),
    Mutant(
        "wish-answered-only",
        "Answers that a wish is applied, and does nothing.",
        (
            "wishlist/add",
            "wishlist/any-product",
            "wishlist/concurrent",
            "wishlist/full",
        ),
        "decider",
        _ruled(_AnswersOnly),
    ),
    Mutant(
        "wish-again-refused",
        "Rejects a wish for what is on the wishlist.",
        (
            "wishlist/add-again",
            "wishlist/full",
            "wishlist/concurrent",
            "wishlist/revision",
        ),
        "decider",
        _ruled(_AgainRefused),
    ),
    Mutant(
        "wish-again-is-new",
        "Gives a wish a new time when it is added again.",
        (
            "wishlist/add-again",
            "wishlist/full",
            "wishlist/concurrent",
            "wishlist/revision",
        ),
        "decider",
        _ruled(_AgainIsNew),
    ),
    Mutant(
        "wish-again-goes-to-the-end",
        "Moves a wish to the end when it is added again.",
        (
            "wishlist/add-again",
            "wishlist/full",
        ),
        "decider",
        _AgainGoesToTheEnd,
    ),
    Mutant(
        "wish-again-is-a-change",
        "Says that a wish was put on the wishlist that was on it already.",
        (
            "wishlist/add-again",
            "wishlist/full",
            "wishlist/concurrent",
            "wishlist/revision",
        ),
        "decider",
        _AgainIsAChange,
    ),
    Mutant(
        "keeps-removed-wishes",
        "Answers that a wish is removed, and does nothing.",
        (
            "wishlist/remove",
            "wishlist/any-product",
            "wishlist/full",
            "wishlist/revision",
        ),
        "decider",
        _ruled(_KeepsIt),
    ),
    Mutant(
        "missing-wish-refused",
        "Rejects the removal of a wish that is not there.",
        (
            "wishlist/remove",
            "wishlist/revision",
        ),
        "decider",
        _MissingRefused,
    ),
    Mutant(
        "missing-wish-is-a-change",
        "Says that a wish was removed that was not there.",
        (
            "wishlist/remove",
            "wishlist/revision",
        ),
        "decider",
        _ruled(_MissingIsAChange),
    ),
    Mutant(
        "removes-own-wishes-only",
        "Removes only wishes that came from the same queue.",
        (
            "wishlist/remove",
            "wishlist/paging",
            "wishlist/revision",
        ),
        "decider",
        _RemovesOwnOnly,
    ),
    Mutant(
        "wishes-for-what-is-sold",
        "Rejects wishes for what the catalogue does not know or sell.",
        (
            "wishlist/any-product",
            "wishlist/add",
        ),
        "decider",
        _SoldOnly,
    ),
    Mutant(
        "wishes-for-what-is-in-stock",
        "Rejects wishes for what is sold out.",
        ("wishlist/any-product",),
        "decider",
        _InStockOnly,
    ),
    Mutant(
        "wishes-wait-for-the-catalogue",
        "Defers wishes while the catalogue cannot be reached.",
        ("wishlist/any-product",),
        "decider",
        _AsksTheCatalogue,
    ),
    Mutant(
        "removed-wishes-wait-for-the-catalogue",
        "Defers the removal of wishes while the catalogue cannot be reached.",
        ("wishlist/any-product",),
        "decider",
        _AsksBeforeRemoving,
    ),
    Mutant(
        "any-number-of-wishes",
        "Takes more wishes than its policy says.",
        ("wishlist/full",),
        "decider",
        _ruled(_NeverFull),
    ),
    Mutant(
        "one-wish-too-few",
        "Refuses the last wish that there is room for.",
        ("wishlist/full",),
        "decider",
        _ruled(_FullTooEarly),
    ),
    Mutant(
        "one-wish-too-many",
        "Takes one wish more than its policy says.",
        ("wishlist/full",),
        "decider",
        _ruled(_OneTooMany),
    ),
    Mutant(
        "full-wishlist-takes-nothing",
        "Rejects a wish that is there already when the wishlist is full.",
        ("wishlist/full",),
        "decider",
        _ruled(_FullTakesNothing),
    ),
    Mutant(
        "counts-removed-wishes",
        "Counts wishes that were removed against the limit.",
        ("wishlist/full",),
        "decider",
        _NeverLessFull,
    ),
    Mutant(
        "full-wishlist-says-nothing",
        "Answers that a wish is applied which a full wishlist does not take.",
        ("wishlist/full",),
        "decider",
        _FullInSilence,
    ),
    Mutant(
        "wishlist-revision-counts-entries",
        "Takes the number of entries for the revision of a wishlist.",
        (
            "wishlist/revision",
            "wishlist/add-again",
            "wishlist/full",
            "wishlist/add",
            "wishlist/paging",
        ),
        "decider",
        _CountsEntries,
    ),
    Mutant(
        "removal-keeps-wishlist-revision",
        "Gives a wishlist no new revision for a removal.",
        (
            "wishlist/revision",
            "wishlist/full",
            "wishlist/add",
        ),
        "decider",
        _RemovalKeepsRevision,
    ),
    Mutant(
        "unchanged-wishlist-has-no-revision",
        "Gives an outcome that changed nothing on the wishlist no revision.",
        (
            "wishlist/revision",
            "wishlist/add-again",
            "wishlist/full",
        ),
        "decider",
        _NoRevisionUnchanged,
    ),
    Mutant(
        "unchanged-wishlist-has-the-next-revision",
        "Gives an outcome that changed nothing on the wishlist the revision of the next change.",
        (
            "wishlist/revision",
            "wishlist/add-again",
            "wishlist/full",
        ),
        "decider",
        _NextRevisionUnchanged,
    ),
    Mutant(
        "wishlist-unguarded",
        "Writes to a wishlist without looking whether another queue has changed it meanwhile.",
        (
            "wishlist/concurrent",
            "wishlist/revision",
        ),
        "open_store",
        stored_in(_Unguarded),
    ),
    Mutant(
        "writes-the-wishlist-back",
        "Writes the whole wishlist back as it was read, with one change.",
        (
            "wishlist/concurrent",
            "wishlist/revision",
        ),
        "open_store",
        stored_in(_WritesTheListBack),
    ),
)
