"""How the address book is kept: what is made, written, deleted, counted and listed."""

# ruff: noqa: ARG002 - names and arguments are those of the reference server

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from cartsync.v1 import address_book_pb2, outcome_pb2

from conformance.mutants.mutant import Mutant, stored_in
from reference_server.engine.address_rules import AddressCase, AddressRules
from reference_server.engine.cases import Answer, Applied, Case
from reference_server.engine.deciding import Decider
from reference_server.engine.entry_rules import EntryOutcome
from reference_server.engine.kept_address import EMPTY, FIELDS, KeptAddress, KeptField, Value, value_of
from reference_server.engine.listings import Listings
from reference_server.engine.policy import Policy
from reference_server.engine.refusals import Reason, Refused, refuse
from reference_server.engine.state import ADDRESS_BOOK, Changes, CollectionContents, CollectionHead, Head
from reference_server.storage.sqlite import SqliteStore


def ruled_by(rules: type[AddressRules]) -> Callable[[Policy], Decider]:
    """A decider with these rules of the address book."""
    return lambda policy: Decider(policy, addresses=rules(policy))


class _WritesEverything(AddressRules):
    """Takes the address that was sent for the address as it shall be; the mask is only looked at."""

    def put(self, case: AddressCase) -> EntryOutcome:
        written = super().put(case)
        if case.address is None or written.value is None:
            return written
        fields = dict(KeptAddress.decoded(written.value).fields)
        for name in FIELDS:
            if name not in case.masked:
                fields[name] = self.written(case, fields[name], value_of(case.intent.address, name))
        merged = KeptAddress(fields)
        return EntryOutcome(merged.encoded(), merged != case.address, written.adjustments)


class _MakesOfEverything(AddressRules):
    """Makes an address of all that was sent, named by the mask or not."""

    def put(self, case: AddressCase) -> EntryOutcome:
        made = super().put(case)
        if case.address is not None or made.value is None:
            return made
        fields = dict(KeptAddress.decoded(made.value).fields)
        for name in FIELDS:
            fields[name] = self.written(case, fields[name], value_of(case.intent.address, name))
        return EntryOutcome(KeptAddress(fields).encoded(), True)


class _ZeroIsAGuard(AddressRules):
    """Takes a base revision of 0 for an edit."""

    def address_not_found(self, case: AddressCase) -> Refused | None:
        if case.address is None and case.base_revision == 0:
            return refuse(Reason.REASON_ADDRESS_NOT_FOUND, "the address that was to be edited is not there")
        return super().address_not_found(case)


class _Buries(AddressRules):
    """What was deleted is there again, under what is written anew."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._buried: dict[str, KeptAddress] = {}

    def delete(self, case: AddressCase) -> EntryOutcome:
        if case.address is not None:
            self._buried[case.intent.address_id] = case.address
        return super().delete(case)

    def put(self, case: AddressCase) -> EntryOutcome:
        written = super().put(case)
        old = self._buried.get(case.intent.address_id)
        if case.address is not None or old is None or written.value is None:
            return written
        fields = dict(KeptAddress.decoded(written.value).fields)
        fields.update({name: kept for name, kept in old.fields.items() if fields[name] == EMPTY.fields[name]})
        return EntryOutcome(KeptAddress(fields).encoded(), True)


class _EditsMake(AddressRules):
    def address_not_found(self, case: AddressCase) -> Refused | None:
        return None


class _EditsOfMissingAreNothing(AddressRules):
    """An edit of an address that is gone is applied, and changes nothing."""

    def judge(self, case: AddressCase) -> EntryOutcome | Refused:
        judged = super().judge(case)
        if isinstance(judged, Refused) and judged.refusal.reason == Reason.REASON_ADDRESS_NOT_FOUND:
            return EntryOutcome(None, changed=False)
        return judged


class _TakesIncomplete(AddressRules):
    def address_incomplete(self, case: AddressCase) -> Refused | None:
        return None


class _RegionOptional(AddressRules):
    """Makes addresses that say no region."""

    def address_incomplete(self, case: AddressCase) -> Refused | None:
        refused = super().address_incomplete(case)
        if refused is None:
            return None
        missing = [violation.field for violation in refused.refusal.field_violations]
        return None if missing == ["put_address.address.region_code"] else refused


class _NamesTheFirst(AddressRules):
    """Names one missing field, though there be more."""

    def address_incomplete(self, case: AddressCase) -> Refused | None:
        refused = super().address_incomplete(case)
        if refused is not None:
            del refused.refusal.field_violations[1:]
        return refused


class _OneTooMany(AddressRules):
    def book_full(self, case: AddressCase) -> Refused | None:
        return super().book_full(replace(case, entry_count=case.entry_count - 1))


class _FullAtOneLess(AddressRules):
    def book_full(self, case: AddressCase) -> Refused | None:
        return super().book_full(replace(case, entry_count=case.entry_count + 1))


class _FullIsFrozen(AddressRules):
    """When the book is full it takes no edits either."""

    def judge(self, case: AddressCase) -> EntryOutcome | Refused:
        if case.kind == "put_address":
            full = self.book_full(replace(case, address=None))
            if full is not None:
                return full
        return super().judge(case)


class _CountsWhatWas(Decider):
    """Deleting an address leaves its place taken."""

    def address_rules(self, case: Case) -> Answer | None:
        answer = super().address_rules(case)
        if case.kind != "delete_address" or not isinstance(answer, Applied) or not answer.changed:
            return answer
        head = answer.writes.collections[ADDRESS_BOOK]
        heads = {ADDRESS_BOOK: replace(head, entry_count=head.entry_count + 1)}
        return replace(answer, writes=replace(answer.writes, collections=heads))


class _SaysDeleted(AddressRules):
    """Says that the address is deleted, and leaves it there."""

    def delete(self, case: AddressCase) -> EntryOutcome:
        return EntryOutcome(None if case.address is None else case.address.encoded(), changed=case.address is not None)


class _MissingIsAnError(AddressRules):
    def judge(self, case: AddressCase) -> EntryOutcome | Refused:
        if case.kind == "delete_address" and case.address is None:
            return refuse(Reason.REASON_ADDRESS_NOT_FOUND, "the address is not there")
        return super().judge(case)


class _DeletesWhatChanged(AddressRules):
    def address_changed(self, case: AddressCase) -> Refused | None:
        return None


class _DeletesWhatIsThere(AddressRules):
    """Deletes by the first field alone: whatever else changed since, the address is deleted."""

    def address_changed(self, case: AddressCase) -> Refused | None:
        if case.address is None:
            return None
        first = KeptAddress({**EMPTY.fields, "recipient": case.address.fields["recipient"]})
        return super().address_changed(replace(case, address=first))


class _EveryPutChanges(AddressRules):
    def put(self, case: AddressCase) -> EntryOutcome:
        return replace(super().put(case), changed=True)


class _WriteIsChange(AddressRules):
    """Takes a field for changed that was written with the value it has."""

    def written(self, case: AddressCase, field: KeptField, wanted: Value) -> KeptField:
        return field.after(wanted, case.change.revision, case.change.queue_id)


class _DeletionChangesNothing(Decider):
    """The outcome of a deletion does not say that anything changed."""

    def outcome(self, case: Case, answer: Answer, head: Head | None, decide_time_us: int) -> outcome_pb2.Outcome:
        outcome = super().outcome(case, answer, head, decide_time_us)
        if case.kind == "delete_address":
            outcome.changed = False
        return outcome


class _RejectsAtZero(Decider):
    """A rejected operation on the address book carries no revision."""

    def outcome(self, case: Case, answer: Answer, head: Head | None, decide_time_us: int) -> outcome_pb2.Outcome:
        outcome = super().outcome(case, answer, head, decide_time_us)
        if isinstance(answer, Refused) and case.kind in ("put_address", "delete_address"):
            outcome.revision = 0
        return outcome


class _CountsAddresses(Decider):
    """Every address counts its own changes; the book has no revision but theirs."""

    def head(self, case: Case) -> Head | None:
        head = super().head(case)
        if case.kind not in ("put_address", "delete_address") or not isinstance(head, CollectionHead):
            return head
        before = case.working.entry((ADDRESS_BOOK, case.intent.address_id))
        return replace(head, revision=0 if before is None else before.change_revision)


def unguarded(collection: str) -> type[SqliteStore]:
    """A store that writes to a collection without looking whether another queue has changed it meanwhile."""

    class _Unguarded(SqliteStore):
        def still_holds(self, changes: Changes) -> bool:
            expected = {name: head for name, head in changes.expected_collections.items() if name != collection}
            return super().still_holds(replace(changes, expected_collections=expected))

    return _Unguarded


def of_two_instants(collection: str) -> type[SqliteStore]:
    """A store that reads a collection first, and the watermark when the rest of the work is done."""

    class _TwoInstants(SqliteStore):
        async def read_collection(
            self, principal: str, name: str, queue_id: str = "", *, after_revision: int = 0, limit: int | None = None
        ) -> CollectionContents:
            contents = await super().read_collection(
                principal, name, queue_id, after_revision=after_revision, limit=limit
            )
            if name != collection or not queue_id:
                return contents
            await asyncio.sleep(0.02)
            later = await super().read_collection(principal, name, queue_id)
            return replace(contents, decided_through_sequence=later.decided_through_sequence)

    return _TwoInstants


class _ByAddition(Listings):
    """Lists addresses in the order in which they were made."""

    def addresses(self, contents: CollectionContents) -> list[address_book_pb2.AddressEntry]:
        listed = {entry.address_id: entry for entry in super().addresses(contents)}
        return [listed[address_id] for address_id, _ in contents.entries]


class _MadeAt(Listings):
    """Shows with each address the revision at which it was made."""

    def addresses(self, contents: CollectionContents) -> list[address_book_pb2.AddressEntry]:
        listed = super().addresses(contents)
        made = {address_id: entry.added_revision for address_id, entry in contents.entries}
        for entry in listed:
            entry.change_revision = made[entry.address_id]
        return listed


class _OnePage(Listings):
    """Lists the first 25 addresses."""

    def addresses(self, contents: CollectionContents) -> list[address_book_pb2.AddressEntry]:
        return super().addresses(contents)[:25]


MUTANTS = (
    Mutant(
        "makes-addresses-of-everything",
        "Makes an address of every field that was sent, named by the mask or not.",
        ("address/create",),
        "decider",
        ruled_by(_MakesOfEverything),
    ),
    Mutant(
        "base-zero-is-an-edit",
        "Rejects a put on base revision 0 of an address that is not there.",
        ("address/create", "address/own-queue"),
        "decider",
        ruled_by(_ZeroIsAGuard),
    ),
    Mutant(
        "deleted-addresses-shine-through",
        "Makes an address anew with the old values of the fields that it is not given.",
        ("address/create",),
        "decider",
        ruled_by(_Buries),
    ),
    Mutant(
        "replaces-whole-addresses",
        "Writes every field of the address that was sent, whatever the mask names.",
        ("address/masked-only", "address/field-limits"),
        "decider",
        ruled_by(_WritesEverything),
    ),
    Mutant(
        "edits-make-addresses",
        "Makes an address by an edit of one that is not there.",
        ("address/edit-missing", "address/revision", "deciding/refusal-order"),
        "decider",
        ruled_by(_EditsMake),
    ),
    Mutant(
        "edits-of-missing-are-nothing",
        "Applies an edit of an address that is not there, and changes nothing.",
        ("address/edit-missing", "address/revision", "deciding/refusal-order"),
        "decider",
        ruled_by(_EditsOfMissingAreNothing),
    ),
    Mutant(
        "takes-incomplete-addresses",
        "Makes an address without a needed field.",
        ("address/incomplete", "deciding/refusal-order"),
        "decider",
        ruled_by(_TakesIncomplete),
    ),
    Mutant(
        "region-optional",
        "Makes an address without a region code.",
        ("address/incomplete",),
        "decider",
        ruled_by(_RegionOptional),
    ),
    Mutant(
        "names-the-first-missing-field",
        "Names one of the missing fields of an address, and not the others.",
        ("address/incomplete", "answers/details"),
        "decider",
        ruled_by(_NamesTheFirst),
    ),
    Mutant(
        "one-address-too-many",
        "Makes one address more than its policy allows.",
        ("address/full",),
        "decider",
        ruled_by(_OneTooMany),
    ),
    Mutant(
        "one-address-too-few",
        "Takes the address book for full when there is room for one more.",
        ("address/full",),
        "decider",
        ruled_by(_FullAtOneLess),
    ),
    Mutant(
        "full-book-is-frozen",
        "Takes no edits when the address book is full.",
        ("address/full",),
        "decider",
        ruled_by(_FullIsFrozen),
    ),
    Mutant(
        "deleted-addresses-count",
        "Counts deleted addresses among those that the book may have.",
        ("address/full",),
        "decider",
        _CountsWhatWas,
    ),
    Mutant(
        "says-deleted",
        "Says that an address is deleted, and keeps it.",
        ("address/delete", "address/unguarded", "address/edit-missing", "address/create"),
        "decider",
        ruled_by(_SaysDeleted),
    ),
    Mutant(
        "deletion-of-missing-rejected",
        "Rejects the deletion of an address that is not there.",
        ("address/delete",),
        "decider",
        ruled_by(_MissingIsAnError),
    ),
    Mutant(
        "deletes-what-changed",
        "Deletes an address that another queue changed since.",
        ("address/delete-changed",),
        "decider",
        ruled_by(_DeletesWhatChanged),
    ),
    Mutant(
        "deletion-looks-at-the-recipient",
        "Refuses a deletion only when another queue changed the recipient.",
        ("address/delete-changed",),
        "decider",
        ruled_by(_DeletesWhatIsThere),
    ),
    Mutant(
        "every-put-changes",
        "Says of every edit of an address that it changed something, and gives it a revision.",
        ("address/changed-flag", "address/kept-reported", "address/merge-keeps", "address/concurrent"),
        "decider",
        ruled_by(_EveryPutChanges),
    ),
    Mutant(
        "write-is-change",
        "Takes a field for changed that was written with the value it had.",
        ("address/changed-flag", "address/own-queue", "address/kept-reported", "address/merge-keeps"),
        "decider",
        ruled_by(_WriteIsChange),
    ),
    Mutant(
        "deletion-changes-nothing",
        "Does not say that the deletion of an address changed anything.",
        ("address/changed-flag", "address/delete", "address/revision"),
        "decider",
        _DeletionChangesNothing,
    ),
    Mutant(
        "rejects-addresses-at-zero",
        "Answers a rejection on the address book with no revision.",
        ("address/revision",),
        "decider",
        _RejectsAtZero,
    ),
    Mutant(
        "counts-changes-by-address",
        "Counts revisions for each address, not for the book.",
        ("address/revision", "address/listing", "address/merge-keeps", "address/delete-changed"),
        "decider",
        _CountsAddresses,
    ),
    Mutant(
        "addresses-by-addition",
        "Lists addresses in the order in which they were made.",
        ("address/listing",),
        "listings",
        _ByAddition,
    ),
    Mutant(
        "addresses-show-when-made",
        "Shows with each address the revision at which it was made.",
        ("address/listing",),
        "listings",
        _MadeAt,
    ),
    Mutant(
        "lists-a-page-of-addresses",
        "Lists no more than 25 addresses.",
        ("address/listing",),
        "listings",
        _OnePage,
    ),
    Mutant(
        "book-and-watermark-of-two-instants",
        "Reads the address book first and the watermark later.",
        ("address/listing",),
        "open_store",
        stored_in(of_two_instants(ADDRESS_BOOK)),
    ),
    Mutant(
        "last-book-wins",
        "Writes an address back without looking whether another queue has changed it meanwhile.",
        ("address/concurrent", "address/revision", "address/listing", "address/kept-reported"),
        "open_store",
        stored_in(unguarded(ADDRESS_BOOK)),
    ),
)
