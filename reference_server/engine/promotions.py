"""Looks at promotions with suspicion, as `offers` does at offers: the service behind them can be wrong, too."""

from __future__ import annotations

from collections.abc import Callable

from reference_server.ports import MAX_UNIT_PRICE_MINOR, BackendUnavailableError, Promotion, Promotions

WHOLE_BASIS_POINTS = 10_000
"""All of a subtotal, in hundredths of a percent."""

PromotionLookup = Callable[[str], Promotion | None]
"""What a coupon code stands for now; None when it is unknown or withdrawn. Raises BackendUnavailableError."""


def promotions_for(promotions: Promotions, principal: str) -> PromotionLookup:
    """The promotions as one principal sees them. One that the protocol cannot carry counts as no answer."""

    def promotion(coupon_code: str) -> Promotion | None:
        found = promotions.promotion(principal, coupon_code)
        if found is not None and not _is_sane(found):
            raise BackendUnavailableError(f"the promotion behind {coupon_code!r} has impossible figures")
        return found

    return promotion


def no_promotions(coupon_code: str) -> Promotion | None:  # noqa: ARG001 - none is known
    """A lookup that knows no code."""
    return None


def _is_sane(promotion: Promotion) -> bool:
    amount, share, minimum = promotion.amount_off_minor, promotion.basis_points_off, promotion.min_subtotal_minor
    return (
        (amount is None or (1 <= amount <= MAX_UNIT_PRICE_MINOR and bool(promotion.currency_code)))
        and (share is None or 1 <= share <= WHOLE_BASIS_POINTS)
        and (minimum is None or (minimum >= 0 and bool(promotion.min_subtotal_currency_code)))
    )
