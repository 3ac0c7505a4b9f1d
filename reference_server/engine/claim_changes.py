"""Between the claim rules and the state: what a claim is judged by, and what it changes in its one commit.

The lines of the account's cart change under one revision, as changes of the claim's queue; that the guest is closed,
and its cart with it, is the `Claim` beside them. The commit holds only while the guest's cart is what it was when
read, so what the guest's queue has decided by then is in it; and whatever the guest's queue commits holds only while
the guest is unclaimed, so the rest is judged anew (spec: claim/one-commit).
"""

from __future__ import annotations

from dataclasses import replace

from cartsync.v1 import operation_pb2, outcome_pb2

from reference_server.engine import claim_tokens
from reference_server.engine.claim_rules import ClaimCase, ClaimOutcome
from reference_server.engine.entry_rules import Change
from reference_server.engine.offers import OfferLookup
from reference_server.engine.state import CartHead, Claim, Effect
from reference_server.engine.working import NOTHING, Working, Writes

# No catalogue has a product without a name; one that can say so can be reached.
_NO_SKU = ""


def claim_case(intent: operation_pb2.ClaimGuestCart, account: str, *, by_guest: bool, working: Working) -> ClaimCase:
    """Put together what a claim is judged by, but for the offers. Of a guest nothing is looked at without its token."""
    case = ClaimCase(
        account=account,
        by_guest=by_guest,
        cart=working.cart(intent.cart_id),
        guest=claim_tokens.verify(working.reading.digest_key, intent.claim_token),
        guest_cart_id=intent.guest_cart_id,
    )
    if case.guest is None or by_guest:
        return case
    guest = working.guest((case.guest, intent.guest_cart_id))
    return replace(
        case,
        claimed_by=guest.claimed_by,
        claimed_cart_ids=guest.claimed_cart_ids,
        guest_cart=guest.cart,
        guest_quantities=guest.quantities,
        quantities={sku: working.line((intent.cart_id, sku)).quantity for sku in guest.quantities},
    )


def look_up(case: ClaimCase, offers: OfferLookup) -> None:
    """Find out what the catalogue says of the guest's lines now. Raises BackendUnavailableError.

    A claim waits for the catalogue even when there is nothing to ask it (spec: claim/backend).
    """
    case.offers = {sku: offers(sku) for sku in case.guest_quantities}
    if not case.offers:
        offers(_NO_SKU)


def claimed_lines(answer: ClaimOutcome) -> list[outcome_pb2.ClaimedLine]:
    """The lines as the outcome reports them (spec: claim/lines-reported)."""
    return [
        outcome_pb2.ClaimedLine(
            sku=line.sku,
            guest_quantity=line.guest_quantity,
            quantity_before=line.quantity_before,
            quantity_after=line.quantity_after,
            limit_reason=line.limit_reason,
        )
        for line in answer.lines
    ]


def claim_writes(
    case: ClaimCase,
    answer: ClaimOutcome,
    cart_id: str,
    working: Working,
    change: Change,
    effects: tuple[Effect, ...],
) -> Writes:
    """What an applied claim changes, nothing when it had been made before.

    `change` is that of the account's cart, `effects` what the ledger tells of each changed line.
    """
    if not answer.first or case.guest is None:
        return NOTHING
    claim = Claim(case.guest, case.guest_cart_id, case.account)
    changed = [line for line in answer.lines if line.changed]
    if not changed:
        return Writes(claim=claim)
    cart = case.cart if case.cart is not None else CartHead(0, answer.currency_code, change.time_us)
    new_line_count = sum(line.quantity_before == 0 for line in changed)
    return Writes(
        carts={
            cart_id: replace(
                cart,
                revision=change.revision,
                update_time_us=change.time_us,
                line_count=cart.line_count + new_line_count,
            )
        },
        lines={
            (cart_id, line.sku): working.line((cart_id, line.sku)).after(
                line.quantity_after, change.revision, change.queue_id
            )
            for line in changed
        },
        effects=effects,
        claim=claim,
    )
