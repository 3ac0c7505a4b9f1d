"""The wishlist rules (step 14 of chapter 3; chapter 9): a set of SKUs in the order they were added.

There is one rule, in `TABLE`; what an operation does to its entry is `add` and `remove`. A variant of the server
overrides exactly one of these methods.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

from reference_server.engine.entry_rules import Change, EntryOutcome
from reference_server.engine.policy import Policy
from reference_server.engine.refusals import Reason, Refused, refuse


@dataclass(frozen=True, slots=True)
class Wish:
    """What is kept of an entry beside its SKU and its place."""

    add_time_us: int

    def encoded(self) -> bytes:
        """As the store keeps it."""
        return json.dumps({"add_time_us": self.add_time_us}).encode()

    @classmethod
    def decoded(cls, value: bytes) -> Wish:
        """Of what `encoded` made."""
        return cls(json.loads(value)["add_time_us"])


@dataclass(frozen=True, slots=True, kw_only=True)
class WishCase:
    """One SKU to be put on the wishlist or taken off it. `value` is its entry as kept; None: not on it."""

    kind: str  # add_to_wishlist or remove_from_wishlist
    value: bytes | None
    entry_count: int
    change: Change


class WishlistRules:
    """Judges operations on the wishlist. No catalogue is asked (spec: wishlist/any-product). Keeps no state."""

    TABLE: ClassVar[tuple[tuple[str, bool], ...]] = (
        # method, whether it applies only to a SKU that is to be put on
        ("wishlist_full", True),
    )

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def judge(self, case: WishCase) -> EntryOutcome | Refused:
        """The first rule that refuses, or what is applied."""
        for name, only_when_adding in self.TABLE:
            if only_when_adding and case.kind != "add_to_wishlist":
                continue
            refused: Refused | None = getattr(self, name)(case)
            if refused is not None:
                return refused
        return self.add(case) if case.kind == "add_to_wishlist" else self.remove(case)

    def add(self, case: WishCase) -> EntryOutcome:
        """Put at the end what is not there; what is there keeps its place (spec: wishlist/add, wishlist/add-again)."""
        if case.value is not None:
            return EntryOutcome(case.value, changed=False)
        return EntryOutcome(Wish(case.change.time_us).encoded(), changed=True)

    def remove(self, case: WishCase) -> EntryOutcome:
        """Spec: wishlist/remove."""
        return EntryOutcome(None, changed=case.value is not None)

    def wishlist_full(self, case: WishCase) -> Refused | None:
        """The one rule (spec: wishlist/full)."""
        if case.value is not None or case.entry_count < self.policy.max_wishlist_entry_count:
            return None
        return refuse(
            Reason.REASON_WISHLIST_FULL, f"the wishlist has {self.policy.max_wishlist_entry_count} entries, its most"
        )
