"""What the shop around a server does in a plan: offers, promotions, tokens, time, trouble. The judge is told of all."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.oracle import Judge
from conformance.oracle.values import CardDetails, Money, Offer, Promotion
from conformance.oracle.world import SOLE, Scope
from conformance.plans import steps
from conformance.plans.stage import STRANGER, Means, Stage
from conformance.plans.steps import Audience, Product, Span
from conformance.plans.writing import PROVIDER

_HOUR, _DAY = 3_600.0, 86_400.0


class ShopActions:
    """Arranges things on a stage. What the stage has no means for is passed over."""

    def __init__(self, stage: Stage, judge: Judge, products: Sequence[Product]) -> None:
        self.stage = stage
        self.judge = judge
        self._products = {product.sku: product for product in products}
        self._limited: frozenset[Scope] = frozenset()
        self._advanced = 0.0

    @property
    def is_limited(self) -> bool:
        """Whether a rate limit is in force."""
        return bool(self._limited)

    def open(self, named: set[str]) -> None:
        """Put on offer what somebody will ask for."""
        for product in self._products.values():
            if product.sku in named:
                self._offer(
                    product.sku, Offer(Money(product.currency, product.price), product.listed, product.available)
                )

    def set_offer(self, step: steps.SetOffer) -> None:
        """An offer changes; a product keeps its currency."""
        product = self._products.get(step.sku)
        known = self.judge.shop.offer(self.stage.own_name(step.sku)) is not None
        if product is not None and known and Means.OFFERS in self.stage.means:
            self._offer(step.sku, Offer(Money(product.currency, step.price), step.listed, step.available))

    def _offer(self, name: str, offer: Offer) -> None:
        sku = self.stage.own_name(name)
        self.judge.offer_put(sku, self.stage.put_offer(sku, offer))

    def set_promotion(self, step: steps.SetPromotion) -> None:
        """A promotion begins, changes, or is withdrawn."""
        if Means.COUPONS not in self.stage.means:
            return
        code, promotion = self.stage.own_name(step.code), _promotion(step)
        self.stage.put_promotion(code, promotion)
        self.judge.promotion_put(code, promotion)

    def set_token(self, step: steps.SetToken) -> None:
        """The payment provider changes its mind about a token."""
        if Means.PAYMENT_METHODS not in self.stage.means:
            return
        token = self.stage.own_name(step.token)
        card = CardDetails("visa", f"{4_000 + step.value}", 1 + step.value % 12, 2_040) if step.valid else None
        self.stage.put_token(PROVIDER, token, card)
        self.judge.card_told(PROVIDER, token, card)

    def close_cart(self, step: steps.CloseCart) -> None:
        """The shop closes a cart."""
        if Means.CLOSE_CART in self.stage.means:
            cart = self.stage.own_name(step.cart)
            self.judge.cart_closed(cart, self.stage.close_cart(cart))

    def advance_clock(self, step: steps.AdvanceClock) -> None:
        """Time goes by, but never so much that a queue may be forgotten."""
        limits = self.stage.limits
        seconds = {
            Span.HOUR: _HOUR,
            Span.DAY: _DAY,
            Span.PAST_WINDOW: limits.replay_window + _DAY,
            Span.SHORT_OF_RETENTION: limits.outcome_retention - 2 * _HOUR,
            Span.PAST_RETENTION: limits.outcome_retention + _DAY,
        }[step.span]
        if Means.CLOCK in self.stage.means and self._advanced + seconds < limits.queue_retention - 2 * _DAY:
            self._advanced += seconds
            self.stage.advance(seconds)
            self.judge.clock_advanced(seconds)

    def backend(self, step: steps.Backend) -> None:
        """Backing services come and go."""
        if Means.BACKEND in self.stage.means:
            self.stage.set_backend(step.available)
            self.judge.backend_set(step.available)

    def rate_limit(self, step: steps.RateLimit) -> None:
        """A limit comes into force, unless a submission on its way may blur it."""
        scope, needed = (
            (Scope.PAYMENT_METHODS, Means.PAYMENT_RATE_LIMIT) if step.saving else (Scope.ALL, Means.RATE_LIMIT)
        )
        if needed not in self.stage.means or (step.remaining is not None and self.judge.has_stragglers):
            return
        self.stage.set_rate_limit(step.remaining, scope)
        self.judge.rate_limited(step.remaining, scope=scope)
        self._limited = self._limited - {scope} if step.remaining is None else self._limited | {scope}

    def lift_limits(self) -> None:
        """No limit is in force any more."""
        for scope in sorted(self._limited):
            self.rate_limit(steps.RateLimit(None, scope is Scope.PAYMENT_METHODS))


def _promotion(step: steps.SetPromotion) -> Promotion | None:
    """The promotion of a step; None when it is withdrawn."""
    if step.withdrawn:
        return None
    audiences = {
        Audience.EVERYBODY: None,
        Audience.THE_ACCOUNT: frozenset({SOLE}),
        Audience.OTHERS: frozenset({STRANGER}),
    }
    return Promotion(
        amount=Money(step.currency, step.amount) if step.amount else None,
        basis_points=0 if step.amount else step.basis_points,
        minimum=Money(step.currency, step.minimum) if step.minimum else None,
        start=None if step.begins is None else step.begins * 3_600.0,
        end=None if step.ends is None else step.ends * 3_600.0,
        eligible=audiences[step.audience],
        once_per_principal=step.once,
        stackable=step.stackable,
    )
