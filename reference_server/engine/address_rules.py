"""The address book rules (step 14 of chapter 3; chapter 10): edits merged field by field, the server's word counting.

Theory of operation. Each field remembers its last change and the last one by any other queue, as lines of a cart do.
An edit names the revision it was made on; a field that another queue changed after that keeps its value, and is
reported when the wanted value is another one. A write of the value that is there is no change and leaves no mark.

The order of the rules is that of the table in section 10.1, and so is the order of `TABLE`. A variant of the server
overrides exactly one method.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from cartsync.v1 import outcome_pb2

from reference_server.engine.entry_rules import Change, EntryOutcome
from reference_server.engine.kept_address import (
    EMPTY,
    FIELDS,
    NEEDED_FIELDS,
    KeptAddress,
    KeptField,
    Value,
    message_of,
    value_of,
)
from reference_server.engine.policy import Policy
from reference_server.engine.refusals import Reason, Refused, refuse


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressCase:
    """One address to be made, edited or deleted; `address` is what is there, None when it is not."""

    kind: str  # put_address or delete_address
    intent: Any
    address: KeptAddress | None
    entry_count: int
    change: Change

    @property
    def base_revision(self) -> int | None:
        """The revision the operation was made on; None: no guard."""
        return self.intent.base_revision if self.intent.HasField("base_revision") else None

    @property
    def masked(self) -> tuple[str, ...]:
        """The fields that the edit names, in the order of `Address`."""
        names = set(self.intent.update_mask.paths)
        return tuple(name for name in FIELDS if name in names)


class AddressRules:
    """Judges operations on the address book against what is in it and the policy. Keeps no state."""

    TABLE: ClassVar[tuple[tuple[str, str], ...]] = (
        # method, the kind that it applies to
        ("address_not_found", "put_address"),
        ("address_incomplete", "put_address"),
        ("book_full", "put_address"),
        ("address_changed", "delete_address"),
    )

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def judge(self, case: AddressCase) -> EntryOutcome | Refused:
        """The first rule that refuses, or what is applied (spec: deciding/refusal-order)."""
        for name, kind in self.TABLE:
            if kind != case.kind:
                continue
            refused: Refused | None = getattr(self, name)(case)
            if refused is not None:
                return refused
        return self.put(case) if case.kind == "put_address" else self.delete(case)

    # What an operation that no rule refuses comes to.

    def put(self, case: AddressCase) -> EntryOutcome:
        """Write what the mask names, but for what is kept (spec: address/create, address/masked-only)."""
        fields = dict((case.address or EMPTY).fields)
        adjustments = []
        for name in case.masked:
            wanted = value_of(case.intent.address, name)
            kept = self.is_kept(case, fields[name])
            adjustment = self.field_kept(name, fields[name], wanted) if kept else None
            if adjustment is not None:
                adjustments.append(adjustment)
            if not kept:
                fields[name] = self.written(case, fields[name], wanted)
        merged = KeptAddress(fields)
        changed = case.address is None or merged != case.address
        return EntryOutcome(merged.encoded(), changed, tuple(adjustments))

    def is_kept(self, case: AddressCase, field: KeptField) -> bool:
        """Whether another queue changed the field after the base (spec: address/merge-keeps, address/own-queue)."""
        if case.base_revision is None:
            return False
        return field.changed_by_others(case.change.queue_id) > case.base_revision

    def written(self, case: AddressCase, field: KeptField, wanted: Value) -> KeptField:
        """The field with the wanted value; it is not changed by the value it has (spec: address/changed-flag)."""
        if field.value == wanted:
            return field
        return field.after(wanted, case.change.revision, case.change.queue_id)

    def field_kept(self, name: str, field: KeptField, wanted: Value) -> outcome_pb2.Adjustment | None:
        """The report on a field that was kept, unless it has what was wanted (spec: address/kept-reported)."""
        if field.value == wanted:
            return None
        return outcome_pb2.Adjustment(
            field_kept=outcome_pb2.FieldKept(field=name, kept=message_of({name: field.value}))
        )

    def delete(self, case: AddressCase) -> EntryOutcome:
        """Spec: address/delete."""
        return EntryOutcome(None, changed=case.address is not None)

    # The rules, in the order of section 10.1.

    def address_not_found(self, case: AddressCase) -> Refused | None:
        """Rule 1 (spec: address/edit-missing)."""
        if case.address is not None or not case.base_revision:
            return None
        return refuse(Reason.REASON_ADDRESS_NOT_FOUND, "the address that was to be edited is not there")

    def address_incomplete(self, case: AddressCase) -> Refused | None:
        """Rule 2 (spec: address/incomplete)."""
        if case.address is not None:
            return None
        missing = [name for name in NEEDED_FIELDS if name not in case.masked]
        if not missing:
            return None
        return refuse(
            Reason.REASON_ADDRESS_INCOMPLETE,
            f"a new address needs {', '.join(missing)}",
            field_violations=[
                outcome_pb2.FieldViolation(
                    field=f"put_address.address.{name}", description="is needed, and the update mask does not name it"
                )
                for name in missing
            ],
        )

    def book_full(self, case: AddressCase) -> Refused | None:
        """Rule 3 (spec: address/full)."""
        if case.address is not None or case.entry_count < self.policy.max_address_count:
            return None
        return refuse(
            Reason.REASON_ADDRESS_BOOK_FULL,
            f"the address book has {self.policy.max_address_count} addresses, its most",
        )

    def address_changed(self, case: AddressCase) -> Refused | None:
        """Rule 4 (spec: address/delete-changed, address/own-queue)."""
        if case.address is None or case.base_revision is None:
            return None
        changed_at = case.address.changed_by_others(case.change.queue_id)
        if changed_at <= case.base_revision:
            return None
        return refuse(
            Reason.REASON_ADDRESS_CHANGED,
            f"another queue changed the address at revision {changed_at}, after {case.base_revision}",
        )
