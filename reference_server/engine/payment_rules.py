"""The payment method rules (step 14 of chapter 3; chapter 11): does the provider stand by the token, is there room.

The order is that of the table in section 11.1, and so is the order of `TABLE`. A variant of the server overrides
exactly one method.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from reference_server.engine.card_numbers import holds_card_number
from reference_server.engine.entry_rules import EntryOutcome
from reference_server.engine.policy import Policy
from reference_server.engine.refusals import Reason, Refused, refuse
from reference_server.ports import BackendUnavailableError, PaymentDetails, PaymentProvider

PaymentLookup = Callable[[str, str], PaymentDetails | None]
"""What a provider says of a token now; None when it does not stand by it. Raises BackendUnavailableError."""

_MAX_TEXT_LENGTH = 64
_MAX_YEAR = 9999


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPaymentMethod:
    """A payment method as it is kept: what the shopper gave, and what the provider said of it."""

    provider: str
    provider_token: str = field(repr=False)
    label: str
    brand: str
    last_four: str
    expiry_month: int
    expiry_year: int

    def encoded(self) -> bytes:
        """As the store keeps it."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decoded(cls, value: bytes) -> KeptPaymentMethod:
        """Of what `encoded` made."""
        return cls(**json.loads(value))


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCase:
    """One payment method to be kept or deleted. `value` is its entry as kept; None: not there.

    `details` is what the provider says, asked only for one that is to be kept; None: it does not stand by the token.
    """

    kind: str  # save_payment_method or delete_payment_method
    intent: Any
    value: bytes | None
    entry_count: int
    details: PaymentDetails | None = None


class PaymentRules:
    """Judges operations on payment methods. Keeps no state."""

    TABLE: ClassVar[tuple[tuple[str, bool], ...]] = (
        # method, whether it applies only to one that is to be kept
        ("token_invalid", True),
        ("methods_full", True),
    )

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def judge(self, case: PaymentCase) -> EntryOutcome | Refused:
        """The first rule that refuses, or what is applied (spec: deciding/refusal-order)."""
        for name, only_when_saving in self.TABLE:
            if only_when_saving and case.kind != "save_payment_method":
                continue
            refused: Refused | None = getattr(self, name)(case)
            if refused is not None:
                return refused
        return self.save(case) if case.kind == "save_payment_method" else self.delete(case)

    def save(self, case: PaymentCase) -> EntryOutcome:
        """Keep it, in place of one that is there; the same again is no change (spec: payment/save)."""
        value = self.kept(case).encoded()
        return EntryOutcome(value, changed=value != case.value)

    def kept(self, case: PaymentCase) -> KeptPaymentMethod:
        """What is kept: brand, digits and expiry as the provider gave them (spec: payment/as-provided)."""
        details = case.details if case.details is not None else PaymentDetails()
        return KeptPaymentMethod(
            provider=case.intent.provider,
            provider_token=case.intent.provider_token,
            label=case.intent.label,
            brand=details.brand,
            last_four=details.last_four,
            expiry_month=details.expiry_month,
            expiry_year=details.expiry_year,
        )

    def delete(self, case: PaymentCase) -> EntryOutcome:
        """Spec: payment/delete."""
        return EntryOutcome(None, changed=case.value is not None)

    # The rules, in the order of section 11.1.

    def token_invalid(self, case: PaymentCase) -> Refused | None:
        """Rule 1 (spec: payment/token-checked)."""
        if case.details is not None:
            return None
        return refuse(Reason.REASON_PAYMENT_TOKEN_INVALID, "the payment provider does not stand by the token")

    def methods_full(self, case: PaymentCase) -> Refused | None:
        """Rule 2 (spec: payment/full)."""
        if case.value is not None or case.entry_count < self.policy.max_payment_method_count:
            return None
        return refuse(
            Reason.REASON_PAYMENT_METHODS_FULL,
            f"there are {self.policy.max_payment_method_count} payment methods, the most",
        )


def no_payments(provider: str, token: str) -> PaymentDetails | None:  # noqa: ARG001 - nobody stands by any
    """A lookup without a provider behind it."""
    return None


def payments_for(payment_provider: PaymentProvider, principal: str) -> PaymentLookup:
    """The payment provider as one principal sees it. What the protocol must not carry counts as no answer."""

    def details(provider: str, token: str) -> PaymentDetails | None:
        found = payment_provider.details(principal, provider, token)
        if found is not None and not _is_sane(found):
            raise BackendUnavailableError("the payment provider's answer has impossible figures")
        return found

    return details


def _is_sane(details: PaymentDetails) -> bool:
    return (
        0 <= details.expiry_month <= 12
        and 0 <= details.expiry_year <= _MAX_YEAR
        and all(
            len(text) <= _MAX_TEXT_LENGTH and not holds_card_number(text) for text in (details.brand, details.last_four)
        )
    )
