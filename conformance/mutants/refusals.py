"""Refusals before the cart: features, intents, size, form."""

# ruff: noqa: ARG002 - names and arguments are those of the reference server

from __future__ import annotations

from conformance.mutants.mutant import Mutant
from reference_server.engine.cases import Answer, Case
from reference_server.engine.deciding import Decider
from reference_server.engine.refusals import Reason, Refused, refuse


class _IgnoresFeatures(Decider):
    def required_features(self, case: Case) -> Answer | None:
        return None


class _DefersUnknownIntents(Decider):
    def known_intent(self, case: Case) -> Answer | None:
        if super().known_intent(case) is None:
            return None
        return refuse(
            Reason.REASON_INTERNAL,
            "the server does not know this intent yet",
            retry_delay=self.policy.trouble_retry_delay,
        )


class _TakesAnySize(Decider):
    def size(self, case: Case) -> Answer | None:
        return None


class _CountsIntentOnly(Decider):
    """The size of an operation is taken for that of its intent."""

    def size(self, case: Case) -> Answer | None:
        return super().size(case) if case.intent.ByteSize() > self.policy.max_operation_bytes else None


class _TakesAnyForm(Decider):
    """Missing quantity policies pass; whatever else is wrong is found."""

    def well_formed(self, case: Case) -> Answer | None:
        answer = super().well_formed(case)
        if isinstance(answer, Refused) and all(
            violation.field.endswith("quantity_policy") for violation in answer.refusal.field_violations
        ):
            return None
        return answer


class _TakesNegativeQuantities(Decider):
    def well_formed(self, case: Case) -> Answer | None:
        answer = super().well_formed(case)
        if isinstance(answer, Refused) and [v.field for v in answer.refusal.field_violations] == ["add_item.quantity"]:
            return None
        return answer


MUTANTS = (
    Mutant(
        "ignores-required-features",
        "Decides an operation although it requires a feature that is not there.",
        ("deciding/unsupported-feature",),
        "decider",
        _IgnoresFeatures,
    ),
    Mutant(
        "defers-unknown-intents",
        "Defers an operation whose intent it does not know, so that the queue sticks for ever.",
        ("deciding/unsupported-intent",),
        "decider",
        _DefersUnknownIntents,
    ),
    Mutant(
        "no-size-limit",
        "Decides operations larger than its policy allows.",
        ("deciding/too-large",),
        "decider",
        _TakesAnySize,
    ),
    Mutant(
        "size-of-the-intent-only",
        "Leaves everything but the intent out when it measures an operation.",
        ("deciding/too-large",),
        "decider",
        _CountsIntentOnly,
    ),
    Mutant(
        "quantity-policy-optional",
        "Takes an operation without a quantity policy and clamps as it likes.",
        ("deciding/malformed",),
        "decider",
        _TakesAnyForm,
    ),
    Mutant(
        "adds-less-than-one",
        "Adds a quantity of 0 or below.",
        ("deciding/malformed",),
        "decider",
        _TakesNegativeQuantities,
    ),
)
