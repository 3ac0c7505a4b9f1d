"""The suite's oracle, which shares no code with the reference server, accepts every exchange."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import pytest
from oracle_reading import money, submission
from recorded_vectors import EXCHANGES

from conformance.oracle import Judge, Refutation, translation
from conformance.oracle.values import CardDetails, Money, Offer, Promotion, Submission
from tools.vectors.notation import message_of
from tools.vectors.session import BEGIN

LEFT_OUT = {
    "poison": "the oracle has no server that throws; the suite has scripted checks for it",
}


class Witness:
    """Tells a judge what an exchange says, step by step."""

    def __init__(self, limits: Any) -> None:
        self.judge = Judge(limits)
        self.pages: list[Any] = []  # of a wishlist that is being read

    def step(self, step: Mapping[str, Any]) -> None:
        """One step of an exchange."""
        if "arrange" in step:
            self.arranged(step["arrange"], message_of(step["request"]))
        elif "call" in step:
            if "response" in step:
                method = step["call"].rpartition("/")[2]
                self.called(step["as"], method, message_of(step["request"]), message_of(step["response"]))
        elif step["stream"].endswith("/Sync"):
            self.synchronised(step["as"], step["messages"])
        else:
            self.watched(step["as"], step["messages"])

    def arranged(self, method: str, request: Any) -> None:
        """Something happened in the shop."""
        judge = self.judge
        match method:
            case "PutOffer":
                price = Money(request.unit_price.currency_code, request.unit_price.minor_units)
                available = request.available_quantity if request.HasField("available_quantity") else None
                judge.offer_put(request.sku, Offer(price, request.listed, available))
            case "PutPromotion":
                judge.promotion_put(request.coupon_code, None if request.withdrawn else _promotion(request))
            case "PutPaymentToken":
                card = CardDetails(request.brand, request.last_four, request.expiry_month, request.expiry_year)
                judge.card_told(request.provider, request.provider_token, card if request.valid else None)
            case "SetBackendAvailability":
                judge.backend_set(request.available, request.principal)
            case "SetRateLimit":
                remaining = request.remaining_operation_count if request.HasField("remaining_operation_count") else None
                judge.rate_limited(remaining, request.principal)
            case "CloseCart":
                judge.cart_closed(request.cart_id, True, request.principal)
            case "AdvanceClock":
                judge.clock_advanced(request.duration.ToTimedelta().total_seconds())
            case "SaveStore":
                judge.store_saved(request.name)
            case "RestoreStore":
                judge.store_restored(request.name)
            case _:
                raise AssertionError(f"the oracle cannot be told of {method}")

    def called(self, principal: str, method: str, request: Any, response: Any) -> None:
        """A unary call was answered."""
        if getattr(request, "queue_id", ""):
            self.judge.queue_opened(request.queue_id, principal)
        match method:
            case "SubmitOperations":
                sent = submission(request.queue_id, request.attempts)
                self.judge.answered(sent, translation.answer(response.queue, response.results))
            case "GetCart":
                self.judge.cart_read(translation.snapshot(response), request.queue_id, principal)
            case "LookupOutcomes":
                observed = translation.lookup(response)
                self.judge.looked_up(observed, request.first_sequence, request.last_sequence)
            case "GetSyncPolicy":
                pass
            case "ListWishlist":
                self.pages.append(response)
                if not response.next_page_token:
                    self.judge.wishlist_read(translation.wishlist(self.pages), request.queue_id, principal)
                    self.pages = []
            case "ListAddresses":
                self.judge.addresses_read(translation.address_book(response), request.queue_id, principal)
            case "ListPaymentMethods":
                self.judge.payment_methods_read(translation.payment_methods(response), request.queue_id, principal)
            case "IssueClaimToken":
                self.judge.claim_token_given(response.claim_token, principal)
            case _:
                raise AssertionError(f"the oracle cannot be told of {method}")

    def synchronised(self, principal: str, messages: list[Mapping[str, Any]]) -> None:
        """A stream was opened, with all that was said on it; answers come in the order of the submissions."""
        sent: deque[Submission] = deque()
        queue_id = ""
        for told in messages:
            if "meanwhile" in told:
                self.step(told["meanwhile"])
                continue
            message: Any = message_of(told["message"]) if "message" in told else None
            match message.WhichOneof("message") if message is not None else None:
                case "hello":
                    queue_id = message.hello.queue_id
                    self.judge.queue_opened(queue_id, principal)
                case "submit":
                    sent.append(submission(queue_id, message.submit.attempts))
                case "outcomes":
                    answer = translation.answer(message.outcomes.queue, message.outcomes.results)
                    self.judge.answered(sent.popleft(), answer, overlapping=True)

    def watched(self, principal: str, messages: list[Mapping[str, Any]]) -> None:
        """A cart was watched: each snapshot is what a read would have shown."""
        request: Any = None
        for told in messages:
            if "meanwhile" in told:
                self.step(told["meanwhile"])
            elif told["from"] == "client" and "message" in told:
                request = message_of(told["message"])
            elif "message" in told:
                snapshot: Any = message_of(told["message"])
                self.judge.cart_read(translation.snapshot(snapshot), request.queue_id, principal)


def _promotion(request: Any) -> Promotion:
    return Promotion(
        amount=money(request, "amount_off") if request.WhichOneof("discount") == "amount_off" else None,
        basis_points=request.basis_points_off,
        minimum=money(request, "min_subtotal"),
        start=_since_begin(request, "start_time"),
        end=_since_begin(request, "end_time"),
        eligible=frozenset(request.eligible_principals) or None,
        once_per_principal=request.one_per_principal,
        stackable=request.stackable,
    )


def _since_begin(request: Any, field: str) -> float | None:
    if not request.HasField(field):
        return None
    return float(getattr(request, field).ToDatetime(BEGIN.tzinfo).timestamp() - BEGIN.timestamp())


def the_limits() -> Any:
    (step,) = EXCHANGES["policy"]["steps"]
    policy: Any = message_of(step["response"])
    return translation.limits(policy.policy)


@pytest.mark.parametrize("exchange_name", sorted(set(EXCHANGES) - set(LEFT_OUT)))
def test_the_oracle_accepts_the_exchange(exchange_name: str) -> None:
    witness = Witness(the_limits())
    for step in EXCHANGES[exchange_name]["steps"]:
        witness.step(step)


def test_the_oracle_is_not_blind() -> None:
    """One outcome is told otherwise than the server gave it, and the judge says no."""
    steps = EXCHANGES["first-add"]["steps"]
    witness = Witness(the_limits())
    witness.step(steps[0])
    request: Any = message_of(steps[2]["request"])
    response: Any = message_of(steps[2]["response"])
    response.results[0].outcome.line_change.quantity_after = 3
    with pytest.raises(Refutation):
        witness.called("ann", "SubmitOperations", request, response)


def test_what_is_left_out_is_still_there() -> None:
    assert set(LEFT_OUT) <= set(EXCHANGES)
