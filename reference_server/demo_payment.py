"""A payment provider to try things with, in development mode only: it stands by tokens that anybody can read here."""

from __future__ import annotations

from typing import Final

from reference_server.ports import PaymentDetails

DEMO_PROVIDER: Final = "demo"
DEMO_TOKENS: Final = {
    "demo-visa-4242": PaymentDetails("visa", "4242", 12, 2030),
    "demo-mastercard-4444": PaymentDetails("mastercard", "4444", 6, 2029),
}


class DemoPaymentProvider:
    """Implements `ports.PaymentProvider` for the provider `demo` and the tokens above."""

    def details(self, principal: str, provider: str, token: str) -> PaymentDetails | None:  # noqa: ARG002 - same for all
        """What is told of the token; None for any other one."""
        return DEMO_TOKENS.get(token) if provider == DEMO_PROVIDER else None
