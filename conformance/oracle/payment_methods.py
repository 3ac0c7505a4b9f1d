"""Chapter 11: means of payment, as their provider described them, and the rules for keeping one."""

from __future__ import annotations

from dataclasses import dataclass, field

from conformance.oracle.revisions import NO_PAST, Author, Past
from conformance.oracle.rulings import Effect, Rules
from conformance.oracle.values import (
    NO_DETAILS,
    CardDetails,
    Details,
    Entry,
    Limits,
    PaymentIntent,
    SavePaymentMethod,
)


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """One means of payment, with what its provider said when it was saved."""

    provider: str
    token: str = field(repr=False)
    label: str
    details: CardDetails


@dataclass(frozen=True, slots=True)
class PaymentMethods:
    """The payment methods of one principal, ascending by id."""

    methods: tuple[tuple[str, PaymentMethod], ...] = ()
    past: Past = NO_PAST

    def method(self, method_id: str) -> PaymentMethod | None:
        """One of them; None when it is not there."""
        return dict(self.methods).get(method_id)

    def changed(self, author: Author, method_id: str, method: PaymentMethod | None) -> PaymentMethods:
        """The payment methods after one was saved, or deleted (None)."""
        others = {name: kept for name, kept in self.methods if name != method_id}
        kept = others if method is None else {**others, method_id: method}
        past = self.past.and_then(author, Entry("payment_method", method_id, method is not None))
        return PaymentMethods(tuple(sorted(kept.items(), key=lambda entry: entry[0])), past)

    def change_of(self, method_id: str) -> int | None:
        """The number of the last change of one of them."""
        return self.past.last(lambda change: change.entry("payment_method", method_id) is not None)


@dataclass(frozen=True, slots=True)
class Bid:
    """An intent against the payment methods. `card` is what the provider says now; None: it does not stand by it."""

    intent: PaymentIntent
    methods: PaymentMethods
    card: CardDetails | None
    limits: Limits


def token_invalid(bid: Bid) -> Details | None:
    """spec: payment/token-checked"""
    return NO_DETAILS if isinstance(bid.intent, SavePaymentMethod) and bid.card is None else None


def full(bid: Bid) -> Details | None:
    """spec: payment/full"""
    new = isinstance(bid.intent, SavePaymentMethod) and bid.methods.method(bid.intent.method_id) is None
    return NO_DETAILS if new and len(bid.methods.methods) >= bid.limits.max_payment_method_count else None


RULES: Rules[Bid] = (
    ("PAYMENT_TOKEN_INVALID", "payment/token-checked", token_invalid),
    ("PAYMENT_METHODS_FULL", "payment/full", full),
)


def effect(bid: Bid, author: Author) -> Effect[PaymentMethods]:
    """spec: payment/save, payment/delete"""
    intent, before = bid.intent, bid.methods.method(bid.intent.method_id)
    if not isinstance(intent, SavePaymentMethod):
        after = bid.methods.changed(author, intent.method_id, None) if before is not None else None
        return Effect("payment/delete", after)
    saved = PaymentMethod(intent.provider, intent.token, intent.label, bid.card or CardDetails())
    if saved == before:
        return Effect("payment/save")
    return Effect("payment/save", bid.methods.changed(author, intent.method_id, saved))
