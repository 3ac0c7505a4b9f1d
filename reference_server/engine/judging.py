"""Steps 13 and 14 of chapter 3: brings an operation before the rules of its kind, and turns what they say into writes.

The rules are pure and know neither submissions nor stores: each family has a case of its own, made here of the
working state. `kinds.KINDS` says which methods of this class a kind of intent goes through.
"""

from __future__ import annotations

from typing import Any

from reference_server.engine import claim_changes, coupon_changes
from reference_server.engine.address_rules import AddressCase, AddressRules
from reference_server.engine.cart_rules import CartRules, LineCase, LineOutcome
from reference_server.engine.cases import Answer, Applied, Case
from reference_server.engine.claim_rules import ClaimCase, ClaimRules
from reference_server.engine.coupon_rules import CouponCase, CouponRules
from reference_server.engine.entry_rules import Change, EntryOutcome
from reference_server.engine.kept_address import KeptAddress
from reference_server.engine.kinds import KINDS, Kind
from reference_server.engine.payment_rules import PaymentCase, PaymentRules
from reference_server.engine.policy import Policy
from reference_server.engine.refusals import Reason, Refused, refuse
from reference_server.engine.state import (
    ADDRESS_BOOK,
    PAYMENT_METHODS,
    WISHLIST,
    CartHead,
    CollectionHead,
    Effect,
    Entry,
    Head,
)
from reference_server.engine.wishlist_rules import WishCase, WishlistRules
from reference_server.engine.working import Writes
from reference_server.ports import BackendUnavailableError


class Judging:
    """Judges operations by the rules of their kind. Keeps no state but the rules."""

    def __init__(
        self,
        policy: Policy,
        rules: CartRules | None = None,
        *,
        coupons: CouponRules | None = None,
        claims: ClaimRules | None = None,
        wishlist: WishlistRules | None = None,
        addresses: AddressRules | None = None,
        payments: PaymentRules | None = None,
    ) -> None:
        self.policy = policy
        self.rules = rules if rules is not None else CartRules(policy)
        self.coupons = coupons if coupons is not None else CouponRules(policy)
        self.claims = claims if claims is not None else ClaimRules(policy)
        self.wishlist = wishlist if wishlist is not None else WishlistRules(policy)
        self.addresses = addresses if addresses is not None else AddressRules(policy)
        self.payments = payments if payments is not None else PaymentRules(policy)

    # What an operation acts on.

    def kind(self, case: Case) -> Kind | None:
        """What kind of intent it is; None when there is none that this server lists (spec: compat/unlisted-profile)."""
        kind = KINDS.get(case.kind or "")
        return kind if kind is not None and self.policy.has_profile(kind.profile) else None

    def head(self, case: Case) -> Head | None:
        """The resource whose revision the outcome carries, as it is now; None when there is none."""
        kind = self.kind(case)
        if kind is None:
            return None
        if kind.collection:
            return case.working.collection(kind.collection)
        return case.working.cart(case.intent.cart_id) if case.intent.cart_id else None

    def next_revision(self, head: Head | None) -> int:
        """The revision that a change makes (spec: revision/increases, wishlist/revision, address/revision)."""
        return 1 if head is None else head.revision + 1

    def decide_time_us(self, case: Case, head: Head | None) -> int:
        """Now; but never before the last change, should the clock step back (spec: revision/decide-time)."""
        now_us = case.situation.now_us
        return now_us if head is None else max(now_us, head.update_time_us)

    def change(self, case: Case) -> Change:
        """What a change by this operation would be made by."""
        head = self.head(case)
        return Change(case.situation.queue_id, self.next_revision(head), self.decide_time_us(case, head))

    def effect(self, case: Case, revision: int, **what: Any) -> Effect:
        """The ledger's entry for a change by this operation."""
        return Effect(
            **{
                "queue_id": case.situation.queue_id,
                "sequence": case.operation.sequence,
                "idempotency_key": case.operation.idempotency_key,
                "cart_id": "",
                "revision": revision,
                **what,
            }
        )

    # Step 13: the backing services.

    def backing_services(self, case: Case) -> Answer | None:
        """Ask those that the rules will need (spec: backend/deferred, stock/decrease-free)."""
        kind = self.kind(case)
        if kind is None or not kind.look_up:
            return None
        try:
            getattr(self, kind.look_up)(case)
        except BackendUnavailableError:
            return refuse(
                Reason.REASON_BACKEND_UNAVAILABLE,
                "a backing service that this decision needs does not answer",
                retry_delay=self.policy.trouble_retry_delay,
            )
        return None

    def look_up_offer(self, case: Case) -> None:
        """Only for what raises a line."""
        line_case = self._line_case(case)
        if line_case.raises:
            line_case.offer = case.situation.offers(case.intent.sku)

    def look_up_promotions(self, case: Case) -> None:
        """What the code, and those beside it, stand for now (spec: coupons/backend)."""
        coupon_changes.look_up(self._coupon_case(case), case.situation.promotions)

    def look_up_guest_lines(self, case: Case) -> None:
        """What the catalogue says of the guest's lines now (spec: claim/backend)."""
        claim_changes.look_up(self._claim_case(case), case.situation.offers)

    def look_up_payment(self, case: Case) -> None:
        """What the provider says of the token now (spec: payment/backend)."""
        case.payment_details = case.situation.payments(case.intent.provider, case.intent.provider_token)

    # Step 14: the rules.

    def intent_rules(self, case: Case) -> Answer | None:
        """The rules of the intent's kind."""
        kind = self.kind(case)
        assert kind is not None, "other intents were refused before"
        answer: Answer | None = getattr(self, kind.judge)(case)
        return answer

    def cart_rules(self, case: Case) -> Answer | None:
        """Chapters 5 and 6."""
        return self.rules.judge(self._line_case(case))

    def coupon_rules(self, case: Case) -> Answer | None:
        """Chapter 8."""
        coupon_case = self._coupon_case(case)
        judged = self.coupons.judge(coupon_case)
        if isinstance(judged, Refused):
            return judged
        if not judged.changed:
            return Applied(changed=False)
        change = self.change(case)
        effect = self.effect(
            case,
            change.revision,
            cart_id=case.intent.cart_id,
            resource="coupon",
            entry_id=coupon_case.coupon_code,
            present=judged.present,
        )
        writes = coupon_changes.coupon_writes(coupon_case, judged, case.intent.cart_id, case.working, change, effect)
        return Applied(changed=True, writes=writes)

    def claim_rules(self, case: Case) -> Answer | None:
        """Chapter 13."""
        claim_case = self._claim_case(case)
        judged = self.claims.judge(claim_case)
        if isinstance(judged, Refused):
            return judged
        change, cart_id = self.change(case), case.intent.cart_id
        effects = tuple(
            self.effect(
                case,
                change.revision,
                cart_id=cart_id,
                sku=line.sku,
                quantity_before=line.quantity_before,
                quantity_after=line.quantity_after,
            )
            for line in judged.lines
            if line.changed
        )
        return Applied(
            changed=judged.changed,
            claimed_lines=tuple(claim_changes.claimed_lines(judged)),
            writes=claim_changes.claim_writes(claim_case, judged, cart_id, case.working, change, effects),
        )

    def wishlist_rules(self, case: Case) -> Answer | None:
        """Chapter 9."""
        before = case.working.entry((WISHLIST, case.intent.sku))
        wish = WishCase(
            kind=case.kind or "",
            value=None if before is None else before.value,
            entry_count=case.working.collection(WISHLIST).entry_count,
            change=self.change(case),
        )
        return self.on_entry(case, WISHLIST, "wishlist", case.intent.sku, self.wishlist.judge(wish))

    def address_rules(self, case: Case) -> Answer | None:
        """Chapter 10."""
        before = case.working.entry((ADDRESS_BOOK, case.intent.address_id))
        address = AddressCase(
            kind=case.kind or "",
            intent=case.intent,
            address=None if before is None else KeptAddress.decoded(before.value),
            entry_count=case.working.collection(ADDRESS_BOOK).entry_count,
            change=self.change(case),
        )
        return self.on_entry(case, ADDRESS_BOOK, "address", case.intent.address_id, self.addresses.judge(address))

    def payment_rules(self, case: Case) -> Answer | None:
        """Chapter 11."""
        entry_id = case.intent.payment_method_id
        before = case.working.entry((PAYMENT_METHODS, entry_id))
        payment = PaymentCase(
            kind=case.kind or "",
            intent=case.intent,
            value=None if before is None else before.value,
            entry_count=case.working.collection(PAYMENT_METHODS).entry_count,
            details=case.payment_details,
        )
        return self.on_entry(case, PAYMENT_METHODS, "payment_method", entry_id, self.payments.judge(payment))

    def _line_case(self, case: Case) -> LineCase:
        if case.line_case is None:
            cart_id, sku = case.intent.cart_id, case.intent.sku
            case.line_case = self.rules.line_case(
                case.kind or "",
                case.intent,
                case.situation.queue_id,
                case.working.cart(cart_id),
                case.working.line((cart_id, sku)),
            )
        return case.line_case

    def _coupon_case(self, case: Case) -> CouponCase:
        if case.coupon_case is None:
            situation = case.situation
            case.coupon_case = coupon_changes.coupon_case(
                case.kind or "", case.intent, situation.principal, situation.now_us, case.working
            )
        return case.coupon_case

    def _claim_case(self, case: Case) -> ClaimCase:
        if case.claim_case is None:
            situation = case.situation
            case.claim_case = claim_changes.claim_case(
                case.intent, situation.principal, by_guest=situation.is_guest, working=case.working
            )
        return case.claim_case

    # What is written.

    def on_entry(
        self, case: Case, collection: str, resource: str, entry_id: str, judged: EntryOutcome | Refused
    ) -> Answer:
        """What the rules said of an entry, as an answer; a change gives the collection its next revision."""
        if isinstance(judged, Refused):
            return judged
        if not judged.changed:
            return Applied(changed=False, adjustments=judged.adjustments)
        head, before = case.working.collection(collection), case.working.entry((collection, entry_id))
        change = self.change(case)
        after = None
        if judged.value is not None:
            added_revision = change.revision if before is None else before.added_revision
            after = Entry(added_revision, change.revision, judged.value)
        entry_count = head.entry_count + (after is not None) - (before is not None)
        effect = self.effect(case, change.revision, resource=resource, entry_id=entry_id, present=after is not None)
        writes = Writes(
            collections={collection: CollectionHead(change.revision, change.time_us, entry_count)},
            entries={(collection, entry_id): after},
            effects=(effect,),
        )
        return Applied(changed=True, adjustments=judged.adjustments, writes=writes)

    def on_line(self, case: Case, outcome: LineOutcome, revision: int, time_us: int) -> Writes:
        """What a changed line comes to, under the cart's new revision."""
        cart_id, sku = case.intent.cart_id, case.intent.sku
        cart, line = case.working.cart(cart_id), case.working.line((cart_id, sku))
        line_delta = (outcome.quantity_after > 0) - (outcome.quantity_before > 0)
        head = CartHead(
            revision=revision,
            currency_code=outcome.currency_code if cart is None else cart.currency_code,
            update_time_us=time_us,
            line_count=line_delta + (0 if cart is None else cart.line_count),
            closed=cart is not None and cart.closed,
        )
        effect = self.effect(
            case,
            revision,
            cart_id=cart_id,
            sku=sku,
            quantity_before=outcome.quantity_before,
            quantity_after=outcome.quantity_after,
        )
        return Writes(
            carts={cart_id: head},
            lines={(cart_id, sku): line.after(outcome.quantity_after, revision, case.situation.queue_id)},
            effects=(effect,),
        )
