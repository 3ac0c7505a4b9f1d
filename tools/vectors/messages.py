"""Single messages: every kind of operation, written by hand; outcomes and calls, taken out of the exchanges."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cartsync.v1 import address_pb2, operation_pb2, outcome_pb2, reason_pb2
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from tools.vectors.exchanges.compatibility import UNKNOWN_FIELD, UNKNOWN_INTENT
from tools.vectors.notation import Entry, entry, message_of
from tools.vectors.script import CART, CLAMP, EXACT, TEA, Step, money, steps_in
from tools.vectors.session import BEGIN

KEY = "00000001-0000-4000-8000-000000000007"
PREVIOUS_KEY = "00000001-0000-4000-8000-000000000006"
RESOURCE = "adde0000-0000-4000-8000-000000000001"


@dataclass(frozen=True, slots=True)
class Single:
    """A worked example of one message."""

    name: str
    title: str
    shows: str
    message: Entry
    requirements: tuple[str, ...] = ()


_INTENTS: Mapping[str, tuple[Message, str, tuple[str, ...]]] = {
    "add_item": (
        operation_pb2.AddItem(
            cart_id=CART,
            sku=TEA,
            quantity=2,
            observed_unit_price=money(425),
            max_unit_price=money(450),
            quantity_policy=EXACT,
        ),
        "Two of a product that the shopper saw at 4.25, agreed to up to 4.50, all or nothing.",
        ("cart/add-adds", "price/limit", "stock/exact"),
    ),
    "adjust_quantity": (
        operation_pb2.AdjustQuantity(cart_id=CART, sku=TEA, delta=-1, quantity_policy=EXACT, unless_changed_since=0),
        "One less. The guard is there with 0 in it, which is another thing than no guard: any change by another queue "
        "trips it.",
        ("cart/adjust-moves", "guard/refuses", "deciding/payload-by-meaning"),
    ),
    "set_quantity": (
        operation_pb2.SetQuantity(cart_id=CART, sku=TEA, quantity=5, quantity_policy=CLAMP, unless_changed_since=12),
        "Five, or as many as there are, unless another queue changed the line after revision 12.",
        ("cart/set-sets", "stock/clamp", "guard/refuses"),
    ),
    "remove_item": (
        operation_pb2.RemoveItem(cart_id=CART, sku=TEA),
        "The line goes, without a guard.",
        ("cart/remove-removes",),
    ),
    "discard": (
        operation_pb2.Discard(discarded_key="00000001-0000-4000-8000-00000000000a"),
        "Cancels the operation that has the same sequence and another key.",
        ("discard/cancels-undecided", "submission/discard-own-key"),
    ),
    "apply_coupon": (
        operation_pb2.ApplyCoupon(cart_id=CART, coupon_code="TEATIME10"),
        "A code as the shopper entered it.",
        ("coupons/apply",),
    ),
    "remove_coupon": (
        operation_pb2.RemoveCoupon(cart_id=CART, coupon_code="TEATIME10"),
        "The coupon goes; of one that is not there: applied, nothing changed.",
        ("coupons/remove",),
    ),
    "add_to_wishlist": (
        operation_pb2.AddToWishlist(sku=TEA),
        "A wish; of one that is there already: applied, nothing changed.",
        ("wishlist/add", "wishlist/add-again"),
    ),
    "remove_from_wishlist": (
        operation_pb2.RemoveFromWishlist(sku=TEA),
        "The wish goes.",
        ("wishlist/remove",),
    ),
    "put_address": (
        operation_pb2.PutAddress(
            address_id=RESOURCE,
            base_revision=0,
            update_mask=FieldMask(paths=["recipient", "address_lines", "locality", "postal_code", "region_code"]),
            address=address_pb2.Address(
                recipient="Siân Ó Briain",
                address_lines=["Flat 3", "12 Orchard Row"],
                locality="Bath",
                postal_code="BA1 1AA",
                region_code="GB",
            ),
        ),
        "A new address: base revision 0, and every field that is needed named in the mask.",
        ("address/create", "address/masked-only", "address/text-exact"),
    ),
    "delete_address": (
        operation_pb2.DeleteAddress(address_id=RESOURCE, base_revision=7),
        "The address goes, unless another queue changed it after revision 7.",
        ("address/delete", "address/delete-changed"),
    ),
    "save_payment_method": (
        operation_pb2.SavePaymentMethod(
            payment_method_id=RESOURCE, provider="examplepay", provider_token="tok_4f1c8a2e", label="Household"
        ),
        "An opaque token of a payment provider. No card number ever travels here.",
        ("payment/save", "payment/token-checked"),
    ),
    "delete_payment_method": (
        operation_pb2.DeletePaymentMethod(payment_method_id=RESOURCE),
        "The means of payment goes.",
        ("payment/delete",),
    ),
    "claim_guest_cart": (
        operation_pb2.ClaimGuestCart(claim_token="claim-token-of-the-guest", guest_cart_id=CART, cart_id=CART),
        "The account takes over the guest's cart, by a token that the guest was given.",
        ("claim/adds-lines", "claim/token-checked"),
    ),
}


def operations() -> Iterator[Single]:
    """One operation for each kind of intent, with every field of the envelope set; and those of a newer version."""
    for kind, (intent, shows, requirements) in _INTENTS.items():
        told = entry(_operation(**{kind: intent}))
        yield Single(f"operation-{_kebab(kind)}", f"Operation {_camel(kind)}", shows, told, requirements)
    newer = _operation()
    newer.MergeFromString(UNKNOWN_INTENT)
    yield Single(
        "operation-unknown-intent",
        "Operation of a newer version",
        "Field 900 holds an intent that this version does not know: to its reader no intent is set.",
        entry(newer),
        ("deciding/unsupported-intent",),
    )
    wrapped = _operation(add_item=_INTENTS["add_item"][0])
    wrapped.required_features.append("gift-wrap")
    wrapped.add_item.MergeFromString(UNKNOWN_FIELD)
    yield Single(
        "operation-unknown-field",
        "Operation with a field of a newer version",
        "Field 3000 of the intent is not known here; `required_features` keeps a server from ignoring it.",
        entry(wrapped),
        ("compat/unknown-fields", "deciding/unsupported-feature"),
    )


def _operation(**intent: Any) -> operation_pb2.CartOperation:
    return operation_pb2.CartOperation(
        idempotency_key=KEY,
        sequence=7,
        previous_key=PREVIOUS_KEY,
        enqueue_time=Timestamp(seconds=int(BEGIN.timestamp()), nanos=250_000_000),
        session_context=operation_pb2.SessionContext(locale="en-GB", client_name="shop-app", client_version="4.2.0"),
        **intent,
    )


def newer_outcomes() -> Iterator[Single]:
    """Outcomes of a newer server, made by hand, that an older client has to cope with."""
    outcome = outcome_pb2.Outcome(idempotency_key=KEY, sequence=7, state=reason_pb2.OUTCOME_STATE_REJECTED)
    outcome.decide_time.FromDatetime(BEGIN)
    outcome.revision = 3
    outcome.refusal.reason = 2999  # type: ignore[assignment]  # a number that no version has given out
    outcome.refusal.disposition = reason_pb2.DISPOSITION_RETRY_AFTER_ACTION
    outcome.refusal.message = "A reason that came with a later version."
    yield Single(
        "outcome-unknown-reason",
        "Outcome with a reason of a newer version",
        "A client that does not know the reason goes by the state and the disposition beside it: final, and for the "
        "shopper to act on.",
        entry(outcome),
        ("answers/reason-policy",),
    )
    asked = outcome_pb2.Outcome()
    asked.CopyFrom(outcome)
    asked.refusal.disposition = 77  # type: ignore[assignment]  # a number that no version has given out
    yield Single(
        "outcome-unknown-disposition",
        "Outcome with a disposition of a newer version",
        "A client that knows neither the reason nor the disposition acts as for RETRY_AFTER_ACTION.",
        entry(asked),
    )
    deferred = outcome_pb2.Outcome(idempotency_key=KEY, sequence=7, state=reason_pb2.OUTCOME_STATE_DEFERRED)
    deferred.refusal.CopyFrom(outcome.refusal)
    deferred.refusal.disposition = reason_pb2.DISPOSITION_RETRY
    deferred.refusal.retry_delay.seconds = 30
    yield Single(
        "outcome-unknown-deferral",
        "Deferral with a reason of a newer version",
        "Nothing was decided; the client sends the same operation again, after the delay.",
        entry(deferred),
        ("answers/reason-policy",),
    )
    applied = outcome_pb2.Outcome(idempotency_key=KEY, sequence=7, state=reason_pb2.OUTCOME_STATE_APPLIED)
    applied.decide_time.FromDatetime(BEGIN)
    applied.revision, applied.changed = 4, True
    applied.line_change.sku, applied.line_change.quantity_after = TEA, 2
    applied.adjustments.add().MergeFromString(UNKNOWN_FIELD)
    yield Single(
        "outcome-unknown-adjustment",
        "Outcome with an adjustment of a newer version",
        "The operation is applied; what was adjusted is not known here, so the client shows the cart as it now is.",
        entry(applied),
    )
    state = outcome_pb2.Outcome(idempotency_key=KEY, sequence=7)
    state.state = 99  # type: ignore[assignment]  # a number that no version has given out
    yield Single(
        "outcome-unknown-state",
        "Outcome with a state of a newer version",
        "An answer that cannot be understood is as good as lost: the client sends the operation again.",
        entry(state),
    )


def outcomes(exchanges: Mapping[str, Iterable[Step]]) -> Iterator[Single]:
    """One outcome for each state, reason and adjustment that the exchanges have, from where it comes up first."""
    seen: set[str] = set()
    for name, steps in exchanges.items():
        for result in results_in(steps):
            for kind in _kinds(result.outcome):
                if kind in seen:
                    continue
                seen.add(kind)
                yield Single(
                    f"outcome-{_kebab(kind)}",
                    f"Outcome {kind}",
                    f"From the exchange `{name}`.",
                    entry(result.outcome),
                )


def results_in(steps: Iterable[Step]) -> Iterator[outcome_pb2.OperationResult]:
    """Every result in the answers of some steps."""
    for step in steps_in(steps):
        for told in (step, *step.get("messages", ())):
            answer = told.get("response") or (told.get("message") if told.get("from") == "server" else None)
            message: Any = message_of(answer) if answer else None
            if answer and answer["type"].endswith(".SyncResponse"):
                message = message.outcomes
            yield from getattr(message, "results", ())


def _kinds(outcome: outcome_pb2.Outcome) -> Iterator[str]:
    state = reason_pb2.OutcomeState.Name(outcome.state).removeprefix("OUTCOME_STATE_")
    yield state
    if outcome.HasField("refusal"):
        yield f"{state} {reason_pb2.Reason.Name(outcome.refusal.reason).removeprefix('REASON_')}"
    for adjustment in outcome.adjustments:
        yield f"{state} {str(adjustment.WhichOneof('adjustment')).upper()}"


def calls(exchanges: Mapping[str, Iterable[Step]]) -> Iterator[Single]:
    """Request and response of each method, and each message of the streams, from where it comes up first."""
    seen: set[str] = set()
    for name, steps in exchanges.items():
        for step in steps_in(steps):
            method = str(step.get("call") or step.get("stream") or "").rpartition("/")[2]
            for told in (step, *step.get("messages", ())):
                for key in ("request", "response", "message"):
                    if not method or key not in told:
                        continue
                    kind = _kind_of(told[key])
                    if kind not in seen:
                        seen.add(kind)
                        shows = f"Of the call `{method}`, from the exchange `{name}`."
                        yield Single(f"call-{_kebab(kind)}", f"Message {kind}", shows, told[key])


def _kind_of(told: Entry) -> str:
    """The message's name; of a stream's envelope with what is in it."""
    name = str(told["type"].rpartition(".")[2])
    if name in ("SyncRequest", "SyncResponse"):
        inner = message_of(told).WhichOneof("message")
        return f"{name} {_camel(inner)}" if inner else f"{name} empty"
    return name


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def _kebab(name: str) -> str:
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name)
    return re.sub(r"[^a-z0-9]+", "-", apart.lower()).strip("-")
