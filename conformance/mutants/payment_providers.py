"""What is made of a payment provider: what it says of a token, when it is asked, and how often."""

# ruff: noqa: ARG002 - names and arguments are those of the reference server

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cartsync.v1 import outcome_pb2, payment_methods_pb2, reason_pb2

from conformance.mutants.mutant import Mutant, moved
from conformance.mutants.payments import ruled_by
from reference_server.engine.cases import Answer, Case, Replayed
from reference_server.engine.deciding import Decider
from reference_server.engine.listings import Listings
from reference_server.engine.payment_rules import KeptPaymentMethod, PaymentCase, PaymentRules
from reference_server.engine.policy import Policy
from reference_server.engine.refusals import Reason, Refused, refuse
from reference_server.engine.state import PAYMENT_METHODS, CollectionContents, Record
from reference_server.ports import BackendUnavailableError, PaymentDetails
from reference_server.settlement import Settlement


class _AsFirstSaid(PaymentRules):
    """Keeps what a provider said of a token the first time, and shows that ever after."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._said: dict[tuple[str, str], PaymentDetails] = {}

    def kept(self, case: PaymentCase) -> KeptPaymentMethod:
        if case.details is not None:
            name = case.intent.provider, case.intent.provider_token
            case = replace(case, details=self._said.setdefault(name, case.details))
        return super().kept(case)


class _ShortYears(PaymentRules):
    """Keeps the last two digits of the year."""

    def kept(self, case: PaymentCase) -> KeptPaymentMethod:
        kept = super().kept(case)
        return replace(kept, expiry_year=kept.expiry_year % 100)


class _FoldsBrands(PaymentRules):
    """Keeps brands in lower case, so that they can be compared."""

    def kept(self, case: PaymentCase) -> KeptPaymentMethod:
        kept = super().kept(case)
        return replace(kept, brand=kept.brand.lower())


class _DigitsAreANumber(PaymentRules):
    """Keeps the last four digits as a number."""

    def kept(self, case: PaymentCase) -> KeptPaymentMethod:
        kept = super().kept(case)
        return replace(kept, last_four=str(int(kept.last_four)) if kept.last_four.isdecimal() else kept.last_four)


class _AsksWhenListing(Settlement):
    """Asks the provider when payment methods are listed, and shows what it says now."""

    async def collection(self, principal: str, name: str, *arguments: Any, **named: Any) -> CollectionContents:
        contents = await super().collection(principal, name, *arguments, **named)
        if name != PAYMENT_METHODS:
            return contents
        entries = []
        for entry_id, entry in contents.entries:
            kept = KeptPaymentMethod.decoded(entry.value)
            now = self._payment_provider.details(principal, kept.provider, kept.provider_token)
            if now is not None:
                kept = replace(kept, brand=now.brand, last_four=now.last_four)
            entries.append((entry_id, replace(entry, value=kept.encoded())))
        return replace(contents, entries=tuple(entries))


class _ShowsTheProvidersDrop(Settlement):
    """Does not list a payment method by whose token the provider stands no longer."""

    async def collection(self, principal: str, name: str, *arguments: Any, **named: Any) -> CollectionContents:
        contents = await super().collection(principal, name, *arguments, **named)
        if name != PAYMENT_METHODS:
            return contents
        entries = []
        for entry_id, entry in contents.entries:
            kept = KeptPaymentMethod.decoded(entry.value)
            if self._payment_provider.details(principal, kept.provider, kept.provider_token) is not None:
                entries.append((entry_id, entry))
        return replace(contents, entries=tuple(entries))


class _Trusts(PaymentRules):
    def token_invalid(self, case: PaymentCase) -> Refused | None:
        return None


class _TrustsReplacements(PaymentRules):
    """Does not ask about the token of a replacement."""

    def token_invalid(self, case: PaymentCase) -> Refused | None:
        return None if case.value is not None else super().token_invalid(case)


class _AnyProvider(Decider):
    """Asks about a token whoever the operation says has given it."""

    def look_up_payment(self, case: Case) -> None:
        super().look_up_payment(case)
        if case.payment_details is None:
            case.payment_details = case.situation.payments("acme", case.intent.provider_token)


class _RemembersVerdicts(Decider):
    """Asks a provider once about a token, and goes by that."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._verdicts: dict[tuple[str, str], PaymentDetails | None] = {}

    def look_up_payment(self, case: Case) -> None:
        name = case.intent.provider, case.intent.provider_token
        if name not in self._verdicts:
            super().look_up_payment(case)
            self._verdicts[name] = case.payment_details
        case.payment_details = self._verdicts[name]


class _TokenForALabel(Listings):
    """Shows the token of a payment method that has no label."""

    def payment_methods(self, contents: CollectionContents) -> list[payment_methods_pb2.PaymentMethod]:
        listed = super().payment_methods(contents)
        kept = {name: KeptPaymentMethod.decoded(entry.value) for name, entry in contents.entries}
        for method in listed:
            method.label = method.label or kept[method.payment_method_id].provider_token[:64]
        return listed


class _NamesTheToken(PaymentRules):
    """Names a token in the message of its refusal."""

    def token_invalid(self, case: PaymentCase) -> Refused | None:
        refused = super().token_invalid(case)
        if refused is not None:
            refused.refusal.message = f"nobody stands by {case.intent.provider_token}"
        return refused


class _NamesMalformedTokens(Decider):
    """Repeats a token that is out of its range in what it says of the field."""

    def well_formed(self, case: Case) -> Answer | None:
        answer = super().well_formed(case)
        if isinstance(answer, Refused) and case.kind == "save_payment_method":
            for violation in answer.refusal.field_violations:
                if violation.field.endswith("provider_token"):
                    violation.description = f"{case.intent.provider_token[:600]!r} is out of its range"
        return answer


class _AsksAgain(Decider):
    """Asks about the token of a duplicate, and rejects it when nobody stands by it any more."""

    def replay(self, case: Case, record: Record) -> Answer | None:
        answer = super().replay(case, record)
        if case.kind != "save_payment_method" or not isinstance(answer, Replayed):
            return answer
        if self.backing_services(case) is not None or case.payment_details is not None:
            return answer
        refused = refuse(Reason.REASON_PAYMENT_TOKEN_INVALID, "the provider does not stand by the token")
        return Replayed(replace(record, outcome=self._rejected(record, refused)))

    def _rejected(self, record: Record, refused: Refused) -> bytes:
        outcome = outcome_pb2.Outcome.FromString(record.outcome)
        outcome.state, outcome.changed = refused.policy.state, False
        outcome.refusal.CopyFrom(refused.refusal)
        return outcome.SerializeToString()


class _ReplaysNeedTheProvider(Decider):
    """Answers a duplicate of a save only when the provider can be reached."""

    def replay(self, case: Case, record: Record) -> Answer | None:
        answer = super().replay(case, record)
        if case.kind == "save_payment_method" and isinstance(answer, Replayed):
            return self.backing_services(case) or answer
        return answer


class _RefusalsDoNotLast(Decider):
    """Tries a save anew that was rejected for its token, when the provider stands by it by then."""

    def replay(self, case: Case, record: Record) -> Answer | None:
        answer = super().replay(case, record)
        if case.kind != "save_payment_method" or not isinstance(answer, Replayed):
            return answer
        outcome = outcome_pb2.Outcome.FromString(record.outcome)
        rejected = outcome.refusal.reason == Reason.REASON_PAYMENT_TOKEN_INVALID
        if not rejected or self.backing_services(case) is not None or case.payment_details is None:
            return answer
        outcome.ClearField("refusal")
        outcome.state, outcome.changed = reason_pb2.OUTCOME_STATE_APPLIED, True
        return Replayed(replace(record, outcome=outcome.SerializeToString()))


class _SavesUnasked(Decider):
    """Keeps a payment method unasked when its provider cannot be reached."""

    def look_up_payment(self, case: Case) -> None:
        try:
            super().look_up_payment(case)
        except BackendUnavailableError:
            case.payment_details = PaymentDetails()


class _UnreachableIsNo(Decider):
    """Takes a provider that does not answer for one that says no."""

    def look_up_payment(self, case: Case) -> None:
        try:
            super().look_up_payment(case)
        except BackendUnavailableError:
            case.payment_details = None


class _DeletionsAsk(Decider):
    """Has the provider drop its token first when a payment method is deleted."""

    def backing_services(self, case: Case) -> Answer | None:
        before = None
        if case.kind == "delete_payment_method":
            before = case.working.entry((PAYMENT_METHODS, case.intent.payment_method_id))
        if before is not None:
            kept = KeptPaymentMethod.decoded(before.value)
            try:
                case.situation.payments(kept.provider, kept.provider_token)
            except BackendUnavailableError:
                return refuse(
                    Reason.REASON_BACKEND_UNAVAILABLE,
                    "the provider does not answer",
                    retry_delay=self.policy.trouble_retry_delay,
                )
        return super().backing_services(case)


class _NoLimit(Settlement):
    def _payment_allowance(self, principal: str) -> int | None:
        return None


class _LimitsDeletions(Decider):
    """Counts deletions of payment methods as saves."""

    def is_saving(self, case: Case) -> bool:
        return super().is_saving(case) or case.kind == "delete_payment_method"


class _LimitsAll(Decider):
    """Lets nothing pass when no more payment methods may be saved."""

    def saving_limit(self, case: Case) -> Answer | None:
        allowance = case.situation.payment_allowance
        if allowance is not None and case.working.charged_saving_count >= allowance and case.kind != "discard":
            return refuse(
                Reason.REASON_RATE_LIMITED,
                "too many payment methods saved",
                retry_delay=case.situation.payment_rate_limit_delay,
            )
        return None


class _BadTokensAreFree(Decider):
    """Counts only the payment methods that it keeps."""

    _rejected = False

    def take(self, case: Case, answer: Answer) -> outcome_pb2.OperationResult:
        self._rejected = isinstance(answer, Refused)
        try:
            return super().take(case, answer)
        finally:
            self._rejected = False

    def is_saving(self, case: Case) -> bool:
        return super().is_saving(case) and not self._rejected


class _RejectsOverTheLimit(Decider):
    """Rejects, for good, what is over the limit for saving."""

    _over = False

    def saving_limit(self, case: Case) -> Answer | None:
        self._over = False
        self._over = super().saving_limit(case) is not None
        return refuse(Reason.REASON_PAYMENT_METHODS_FULL, "too many payment methods saved") if self._over else None

    def is_saving(self, case: Case) -> bool:
        return super().is_saving(case) and not self._over


class _LimitsDuplicates(Decider):
    """Asks the limit before it looks whether it has decided the operation."""

    STEPS = moved(Decider.STEPS, "saving_limit", "already_decided")


MUTANTS = (
    Mutant(
        "as-the-provider-first-said",
        "Shows of a token for ever what the provider said of it first.",
        ("payment/as-provided", "payment/save"),
        "decider",
        ruled_by(_AsFirstSaid),
    ),
    Mutant(
        "two-digits-of-a-year",
        "Shows the last two digits of the year of expiry.",
        ("payment/as-provided",),
        "decider",
        ruled_by(_ShortYears),
    ),
    Mutant(
        "folds-brands",
        "Shows brands in lower case.",
        ("payment/as-provided",),
        "decider",
        ruled_by(_FoldsBrands),
    ),
    Mutant(
        "digits-are-a-number",
        "Drops the zeros before the last four digits.",
        ("payment/as-provided",),
        "decider",
        ruled_by(_DigitsAreANumber),
    ),
    Mutant(
        "asks-when-listing",
        "Shows what the provider says of a token when it is listed.",
        ("payment/as-provided",),
        "settlement",
        _AsksWhenListing,
    ),
    Mutant(
        "hides-what-the-provider-dropped",
        "Does not list a payment method by whose token the provider stands no longer.",
        ("payment/listing", "payment/as-provided"),
        "settlement",
        _ShowsTheProvidersDrop,
    ),
    Mutant(
        "trusts-tokens",
        "Keeps a payment method by whose token nobody stands.",
        (
            "payment/token-checked",
            "payment/replay-unchecked",
            "payment/rate-limited",
            "payment/revision",
            "deciding/refusal-order",
        ),
        "decider",
        ruled_by(_Trusts),
    ),
    Mutant(
        "trusts-replacements",
        "Replaces a payment method by a token by which nobody stands.",
        ("payment/token-checked",),
        "decider",
        ruled_by(_TrustsReplacements),
    ),
    Mutant(
        "any-provider-will-do",
        "Has another provider stand by a token than the one that is named.",
        ("payment/token-checked",),
        "decider",
        _AnyProvider,
    ),
    Mutant(
        "remembers-verdicts",
        "Goes by what a provider said of a token before.",
        ("payment/token-checked", "payment/as-provided", "payment/save"),
        "decider",
        _RemembersVerdicts,
    ),
    Mutant(
        "token-for-a-label",
        "Shows the token of a payment method that has no label.",
        ("payment/token-hidden", "payment/save"),
        "listings",
        _TokenForALabel,
    ),
    Mutant(
        "names-bad-tokens",
        "Names the token that nobody stands by in its refusal.",
        ("payment/token-hidden",),
        "decider",
        ruled_by(_NamesTheToken),
    ),
    Mutant(
        "names-malformed-tokens",
        "Repeats a malformed token in its refusal.",
        ("payment/token-hidden",),
        "decider",
        _NamesMalformedTokens,
    ),
    Mutant(
        "rechecks-duplicates",
        "Answers a duplicate of a save by what the provider says of the token by then.",
        ("payment/replay-unchecked",),
        "decider",
        _AsksAgain,
    ),
    Mutant(
        "replays-need-the-provider",
        "Answers no duplicate of a save while the provider cannot be reached.",
        ("payment/replay-unchecked",),
        "decider",
        _ReplaysNeedTheProvider,
    ),
    Mutant(
        "refused-tokens-get-better",
        "Answers a duplicate of a rejected save as applied when the token is good by then.",
        ("payment/replay-unchecked",),
        "decider",
        _RefusalsDoNotLast,
    ),
    Mutant(
        "saves-unasked",
        "Keeps a payment method unasked while the provider cannot be reached.",
        ("payment/backend", "deciding/refusal-order"),
        "decider",
        _SavesUnasked,
    ),
    Mutant(
        "unreachable-is-no",
        "Rejects a save while the provider cannot be reached.",
        ("payment/backend", "deciding/refusal-order"),
        "decider",
        _UnreachableIsNo,
    ),
    Mutant(
        "deletions-ask-the-provider",
        "Deletes no payment method while the provider cannot be reached.",
        ("payment/backend",),
        "decider",
        _DeletionsAsk,
    ),
    Mutant(
        "saves-without-limit",
        "Saves payment methods over the limit for saving.",
        ("payment/rate-limited", "deciding/refusal-order"),
        "settlement",
        _NoLimit,
    ),
    Mutant(
        "deletions-count-as-saves",
        "Counts a deletion of a payment method as a save.",
        ("payment/rate-limited",),
        "decider",
        _LimitsDeletions,
    ),
    Mutant(
        "saving-limit-stops-all",
        "Lets no operation pass that is over the limit for saving, whatever it is.",
        ("payment/rate-limited",),
        "decider",
        _LimitsAll,
    ),
    Mutant(
        "bad-tokens-are-free",
        "Does not count a rejected save.",
        ("payment/rate-limited",),
        "decider",
        _BadTokensAreFree,
    ),
    Mutant(
        "rejects-over-the-saving-limit",
        "Rejects a save over the limit for good.",
        ("payment/rate-limited", "deciding/refusal-order"),
        "decider",
        _RejectsOverTheLimit,
    ),
    Mutant(
        "limits-duplicates-of-saves",
        "Asks the limit for saving before it looks whether the save was decided.",
        ("payment/rate-limited", "payment/replay-unchecked", "rate/exempt"),
        "decider",
        _LimitsDuplicates,
    ),
)
