"""Prices: the client's believed, yesterday's shown, sums that do not add up."""

# ruff: noqa: ARG002 - names and arguments are those of the reference server

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cartsync.v1 import cart_pb2, money_pb2, operation_pb2, outcome_pb2, reason_pb2

from conformance.mutants.mutant import Mutant, judged_by
from reference_server.engine.cart_rules import CartRules, LineCase
from reference_server.engine.offers import OfferLookup
from reference_server.engine.policy import Policy
from reference_server.engine.refusals import Refused
from reference_server.engine.snapshot import CartPricing
from reference_server.engine.state import CartContents
from reference_server.ports import Offer
from reference_server.service.submissions import Submissions
from reference_server.settlement import CartReading, Settled, Settlement


class _ShowsObserved(Submissions):
    """Charges what the client says it saw."""

    def __init__(self, settlement: Settlement, policy: Policy) -> None:
        super().__init__(settlement, policy)
        self._observed: dict[tuple[str, str, str], int] = {}

    async def settle(
        self,
        principal: str,
        queue_id: str,
        attempts: Sequence[operation_pb2.OperationAttempt],
        store_id: str,
        prefix: str = "",
    ) -> Settled:
        settled = await super().settle(principal, queue_id, attempts, store_id, prefix)
        for attempt, result in zip(attempts, settled.results, strict=True):
            add = attempt.operation.add_item
            if result.outcome.state == reason_pb2.OUTCOME_STATE_APPLIED and attempt.operation.HasField("add_item"):
                self._observed[principal, add.cart_id, add.sku] = add.observed_unit_price.minor_units
        return settled

    async def cart(self, principal: str, cart_id: str, queue_id: str, store_id: str) -> CartReading:
        reading = await super().cart(principal, cart_id, queue_id, store_id)
        for line in reading.cart.lines:
            observed = self._observed.get((principal, cart_id, line.sku))
            if observed is not None and line.HasField("unit_price"):
                _reprice(reading.cart, line, observed)
        return reading


class _KeepsFirstPrice(CartPricing):
    """A price that a cart was once shown at stays in it."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Offer] = {}

    def snapshot(self, cart_id: str, contents: CartContents, offers: OfferLookup, now_us: int) -> cart_pb2.Cart:
        def kept(sku: str) -> Offer | None:
            offer = offers(sku)
            if offer is None:
                return None
            first = self._kept.setdefault((cart_id, sku), offer)
            return replace(offer, unit_price_minor=first.unit_price_minor)

        return super().snapshot(cart_id, contents, kept, now_us)


class _SilentAboutPrices(CartRules):
    def price_changed(self, case: LineCase) -> outcome_pb2.Adjustment | None:
        return None


class _AlwaysAboutPrices(CartRules):
    def price_changed(self, case: LineCase) -> outcome_pb2.Adjustment | None:
        if case.kind != "add_item" or case.offer is None:
            return None
        price = money_pb2.Money(currency_code=case.offer.currency_code, minor_units=case.offer.unit_price_minor)
        return outcome_pb2.Adjustment(
            price_changed=outcome_pb2.PriceChanged(
                observed_unit_price=case.intent.observed_unit_price, current_unit_price=price
            )
        )


class _OnlyDearer(CartRules):
    """Tells when a product has become dearer, not when it has become cheaper."""

    def price_changed(self, case: LineCase) -> outcome_pb2.Adjustment | None:
        cheaper = case.offer is not None and case.kind == "add_item"
        if cheaper and case.offer.unit_price_minor < case.intent.observed_unit_price.minor_units:  # type: ignore[union-attr]
            return None
        return super().price_changed(case)


class _IgnoresConsent(CartRules):
    def price_above_limit(self, case: LineCase) -> Refused | None:
        return None


class _ConsentOneShort(CartRules):
    """A price that is exactly what the shopper agreed to is too high."""

    def price_above_limit(self, case: LineCase) -> Refused | None:
        if case.offer is None:
            return None
        dearer = replace(case.offer, unit_price_minor=case.offer.unit_price_minor + 1)
        return super().price_above_limit(replace(case, offer=dearer))


class _ConsentToObserved(CartRules):
    """Compares what the client saw, not what it costs, with what the shopper agreed to."""

    def price_above_limit(self, case: LineCase) -> Refused | None:
        if case.kind != "add_item" or case.offer is None:
            return None
        seen = replace(case.offer, unit_price_minor=case.intent.observed_unit_price.minor_units)
        return super().price_above_limit(replace(case, offer=seen))


class _MixesCurrencies(CartRules):
    def currency_mismatch(self, case: LineCase) -> Refused | None:
        return None


class _CurrencyOfTheOperationOnly(CartRules):
    """Does not ask what currency the cart has."""

    def currency_mismatch(self, case: LineCase) -> Refused | None:
        return super().currency_mismatch(replace(case, cart=None))


class _LineTotalOneOff(CartPricing):
    """Loses a minor unit in every line of more than one."""

    def line(self, sku: str, quantity: int, offer: Offer | None, currency_code: str) -> cart_pb2.CartLine:
        line = super().line(sku, quantity, offer, currency_code)
        if line.HasField("line_total") and quantity > 1:
            line.line_total.minor_units -= 1
        return line


class _RoundsTotals(CartPricing):
    """Multiplies in floating point, with the 24 bits of a single."""

    def line(self, sku: str, quantity: int, offer: Offer | None, currency_code: str) -> cart_pb2.CartLine:
        import struct

        line = super().line(sku, quantity, offer, currency_code)
        if line.HasField("line_total"):
            line.line_total.minor_units = int(struct.unpack("f", struct.pack("f", line.line_total.minor_units))[0])
        return line


class _SubtotalLosesLast(CartPricing):
    def subtotal(self, lines: list[cart_pb2.CartLine], currency_code: str) -> money_pb2.Money | None:
        return super().subtotal(lines[:-1] if len(lines) > 1 else lines, currency_code)


class _DropsUnlisted(CartPricing):
    def snapshot(self, cart_id: str, contents: CartContents, offers: OfferLookup, now_us: int) -> cart_pb2.Cart:
        cart = super().snapshot(cart_id, contents, offers, now_us)
        lines = [line for line in cart.lines if line.availability != cart_pb2.LINE_AVAILABILITY_UNLISTED]
        del cart.lines[:]
        cart.lines.extend(lines)
        return cart


class _PricesUnlisted(CartPricing):
    """Goes on charging for what is no longer for sale."""

    def line(self, sku: str, quantity: int, offer: Offer | None, currency_code: str) -> cart_pb2.CartLine:
        line = super().line(sku, quantity, None if offer is None else replace(offer, listed=True), currency_code)
        if offer is not None and not offer.listed:
            line.availability = cart_pb2.LINE_AVAILABILITY_UNLISTED
        return line


def _reprice(cart: cart_pb2.Cart, line: cart_pb2.CartLine, minor_units: int) -> None:
    before = line.line_total.minor_units
    line.unit_price.minor_units = minor_units
    line.line_total.minor_units = minor_units * line.quantity
    cart.subtotal.minor_units += line.line_total.minor_units - before


MUTANTS = (
    Mutant(
        "honours-the-observed-price",
        "Shows and charges the price that the client says it saw.",
        ("price/current-wins", "price/snapshot-current"),
        "submissions",
        _ShowsObserved,
    ),
    Mutant(
        "locks-prices",
        "Keeps the price at which a line was first shown.",
        ("price/snapshot-current", "price/current-wins"),
        "pricing",
        _KeepsFirstPrice,
    ),
    Mutant(
        "price-change-untold",
        "Applies an add at another price than observed without saying so.",
        ("price/changed-adjustment",),
        "decider",
        judged_by(_SilentAboutPrices),
    ),
    Mutant(
        "price-change-always-told",
        "Reports a changed price when the price is the observed one.",
        ("price/changed-adjustment",),
        "decider",
        judged_by(_AlwaysAboutPrices),
    ),
    Mutant(
        "lower-price-untold",
        "Reports a changed price only when it is higher.",
        ("price/changed-adjustment",),
        "decider",
        judged_by(_OnlyDearer),
    ),
    Mutant(
        "ignores-the-price-limit",
        "Applies an add above the price the shopper agreed to.",
        ("price/limit",),
        "decider",
        judged_by(_IgnoresConsent),
    ),
    Mutant(
        "price-limit-one-short",
        "Rejects an add at exactly the price the shopper agreed to.",
        ("price/limit",),
        "decider",
        judged_by(_ConsentOneShort),
    ),
    Mutant(
        "price-limit-against-observed",
        "Compares the observed price with the price limit, not the current one.",
        ("price/limit",),
        "decider",
        judged_by(_ConsentToObserved),
    ),
    Mutant(
        "mixes-currencies",
        "Takes any currency into any cart.",
        ("price/currency",),
        "decider",
        judged_by(_MixesCurrencies),
    ),
    Mutant(
        "cart-currency-unchecked",
        "Does not compare the currency of an operation with that of the cart.",
        ("price/currency",),
        "decider",
        judged_by(_CurrencyOfTheOperationOnly),
    ),
    Mutant(
        "line-total-one-off",
        "Loses one minor unit in the total of a line.",
        ("price/totals-exact",),
        "pricing",
        _LineTotalOneOff,
    ),
    Mutant(
        "totals-in-floating-point",
        "Rounds large totals to what a short floating-point number holds.",
        ("price/totals-exact",),
        "pricing",
        _RoundsTotals,
    ),
    Mutant(
        "subtotal-loses-a-line",
        "Leaves the last line out of the subtotal.",
        ("price/totals-exact",),
        "pricing",
        _SubtotalLosesLast,
    ),
    Mutant(
        "drops-unlisted-lines",
        "Drops a line from the cart when its product is no longer listed.",
        ("price/unlisted-shown", "snapshot/content"),
        "pricing",
        _DropsUnlisted,
    ),
    Mutant(
        "charges-unlisted-lines",
        "Charges for a line whose product is no longer listed.",
        ("price/unlisted-shown",),
        "pricing",
        _PricesUnlisted,
    ),
)
