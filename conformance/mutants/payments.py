"""Which payment methods are kept, what is shown of them, and when the provider is asked."""

# ruff: noqa: ARG002 - names and arguments are those of the reference server

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cartsync.v1 import outcome_pb2, payment_methods_pb2, reason_pb2

from conformance.mutants.addresses import of_two_instants, unguarded
from conformance.mutants.mutant import Mutant, moved, stored_in
from reference_server.engine import well_formed
from reference_server.engine.cases import Answer, Applied, Case, Replayed
from reference_server.engine.deciding import Decider
from reference_server.engine.entry_rules import EntryOutcome
from reference_server.engine.listings import Listings
from reference_server.engine.payment_rules import KeptPaymentMethod, PaymentCase, PaymentRules
from reference_server.engine.policy import Policy
from reference_server.engine.refusals import Reason, Refused, refuse
from reference_server.engine.state import PAYMENT_METHODS, CollectionContents, Head, Record
from reference_server.ports import BackendUnavailableError, PaymentDetails
from reference_server.settlement import Settlement

_KINDS = ("save_payment_method", "delete_payment_method")


def _ruled_by(rules: type[PaymentRules]) -> Callable[[Policy], Decider]:
    return lambda policy: Decider(policy, payments=rules(policy))


class _FirstStays(PaymentRules):
    """Leaves what is there under an id, and calls the save applied."""

    def save(self, case: PaymentCase) -> EntryOutcome:
        return super().save(case) if case.value is None else EntryOutcome(case.value, changed=False)


class _LabelStays(PaymentRules):
    """Replaces all but the label."""

    def kept(self, case: PaymentCase) -> KeptPaymentMethod:
        kept = super().kept(case)
        return kept if case.value is None else replace(kept, label=KeptPaymentMethod.decoded(case.value).label)


class _AlwaysChanges(PaymentRules):
    def save(self, case: PaymentCase) -> EntryOutcome:
        return replace(super().save(case), changed=True)


class _LabelIsNoChange(PaymentRules):
    """Takes a new label alone for no change."""

    def save(self, case: PaymentCase) -> EntryOutcome:
        saved = super().save(case)
        if case.value is None:
            return saved
        unlabelled = replace(KeptPaymentMethod.decoded(case.value), label="") != replace(self.kept(case), label="")
        return replace(saved, changed=unlabelled)


class _LooksAlike(PaymentRules):
    """Takes another token for no change when all that is shown is as before."""

    def save(self, case: PaymentCase) -> EntryOutcome:
        saved = super().save(case)
        if case.value is None:
            return saved
        before = replace(KeptPaymentMethod.decoded(case.value), provider_token="")
        return replace(saved, changed=before != replace(self.kept(case), provider_token=""))


class _OneOfAToken(PaymentRules):
    """Keeps a token once: under another id it is taken for what is there already."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._kept: dict[str, str] = {}

    def save(self, case: PaymentCase) -> EntryOutcome:
        name = self._kept.setdefault(case.intent.provider_token, case.intent.payment_method_id)
        if name != case.intent.payment_method_id and case.value is None:
            return EntryOutcome(None, changed=False)
        return super().save(case)


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


class _DeletesNothing(PaymentRules):
    def delete(self, case: PaymentCase) -> EntryOutcome:
        return EntryOutcome(case.value, changed=case.value is not None)


class _MissingIsAnError(Decider):
    """Rejects the deletion of a payment method that is not there."""

    def payment_rules(self, case: Case) -> Answer | None:
        answer = super().payment_rules(case)
        if case.kind == "delete_payment_method" and isinstance(answer, Applied) and not answer.changed:
            return refuse(Reason.REASON_PAYMENT_TOKEN_INVALID, "there is no such payment method")
        return answer


class _DeletionsAlwaysChange(PaymentRules):
    def delete(self, case: PaymentCase) -> EntryOutcome:
        return EntryOutcome(None, changed=True)


class _OneTooMany(PaymentRules):
    def methods_full(self, case: PaymentCase) -> Refused | None:
        return super().methods_full(replace(case, entry_count=case.entry_count - 1))


class _OneTooFew(PaymentRules):
    def methods_full(self, case: PaymentCase) -> Refused | None:
        return super().methods_full(replace(case, entry_count=case.entry_count + 1))


class _FullIsFrozen(PaymentRules):
    """Takes no replacement when there is no room for another payment method."""

    def methods_full(self, case: PaymentCase) -> Refused | None:
        return super().methods_full(replace(case, value=None))


class _FullBeforeToken(PaymentRules):
    """Looks for room before it looks at the token."""

    TABLE = (("methods_full", True), ("token_invalid", True))


class _DeletedCount(Decider):
    """Deleting a payment method leaves its place taken."""

    def payment_rules(self, case: Case) -> Answer | None:
        answer = super().payment_rules(case)
        if case.kind != "delete_payment_method" or not isinstance(answer, Applied) or not answer.changed:
            return answer
        head = answer.writes.collections[PAYMENT_METHODS]
        heads = {PAYMENT_METHODS: replace(head, entry_count=head.entry_count + 1)}
        return replace(answer, writes=replace(answer.writes, collections=heads))


class _Lenient(Decider):
    """Takes payment methods with one field or another out of its range."""

    FIELD = ""

    def well_formed(self, case: Case) -> Answer | None:
        wrong = [violation.field for violation in well_formed.field_violations(case.operation)]
        if wrong == [f"save_payment_method.{self.FIELD}"] and self.forgives(getattr(case.intent, self.FIELD)):
            return None
        return super().well_formed(case)

    def forgives(self, text: str) -> bool:
        """Whether this value passes."""
        return bool(text)


class _AnyToken(_Lenient):
    """Takes tokens with spaces, and beyond ASCII."""

    FIELD = "provider_token"

    def forgives(self, text: str) -> bool:
        return 0 < len(text) <= 512


class _LongTokens(_Lenient):
    """Takes tokens that are longer than they may be."""

    FIELD = "provider_token"

    def forgives(self, text: str) -> bool:
        return len(text) > 512


class _AnyProviderName(_Lenient):
    """Takes providers by any name."""

    FIELD = "provider"


class _AnyLabel(_Lenient):
    """Takes labels with line breaks."""

    FIELD = "label"

    def forgives(self, text: str) -> bool:
        return len(text) <= 64


class _AnyMethodId(_Lenient):
    """Takes ids of payment methods that are no canonical UUIDs."""

    FIELD = "payment_method_id"


class _ShortTokens(Decider):
    """Takes tokens of 255 characters at most."""

    def well_formed(self, case: Case) -> Answer | None:
        if case.kind == "save_payment_method" and len(case.intent.provider_token) > 255:
            violation = outcome_pb2.FieldViolation(field="save_payment_method.provider_token", description="too long")
            return refuse(Reason.REASON_MALFORMED, "too long", field_violations=[violation])
        return super().well_formed(case)


class _LabelInBytes(Decider):
    """Counts a label in bytes."""

    def well_formed(self, case: Case) -> Answer | None:
        if case.kind == "save_payment_method" and len(case.intent.label.encode()) > 64:
            violation = outcome_pb2.FieldViolation(field="save_payment_method.label", description="too long")
            return refuse(Reason.REASON_MALFORMED, "too long", field_violations=[violation])
        return super().well_formed(case)


class _RejectsAtZero(Decider):
    """A rejected operation on payment methods carries no revision."""

    def outcome(self, case: Case, answer: Answer, head: Head | None, decide_time_us: int) -> outcome_pb2.Outcome:
        outcome = super().outcome(case, answer, head, decide_time_us)
        if isinstance(answer, Refused) and case.kind in _KINDS:
            outcome.revision = 0
        return outcome


class _DeletionsKeepTheRevision(Decider):
    """Deletes without a new revision."""

    def payment_rules(self, case: Case) -> Answer | None:
        answer = super().payment_rules(case)
        if case.kind != "delete_payment_method" or not isinstance(answer, Applied) or not answer.changed:
            return answer
        head = answer.writes.collections[PAYMENT_METHODS]
        heads = {PAYMENT_METHODS: replace(head, revision=head.revision - 1)}
        return replace(answer, writes=replace(answer.writes, collections=heads))

    def outcome(self, case: Case, answer: Answer, head: Head | None, decide_time_us: int) -> outcome_pb2.Outcome:
        outcome = super().outcome(case, answer, head, decide_time_us)
        if case.kind == "delete_payment_method" and outcome.changed and head is not None:
            outcome.revision = head.revision
        return outcome


class _ByAddition(Listings):
    """Lists payment methods in the order in which they were saved."""

    def payment_methods(self, contents: CollectionContents) -> list[payment_methods_pb2.PaymentMethod]:
        listed = {method.payment_method_id: method for method in super().payment_methods(contents)}
        return [listed[name] for name, _ in contents.entries]


class _AtTheListsRevision(Listings):
    """Shows with each payment method the revision of them all."""

    def payment_methods(self, contents: CollectionContents) -> list[payment_methods_pb2.PaymentMethod]:
        listed = super().payment_methods(contents)
        for method in listed:
            method.change_revision = contents.head.revision
        return listed


class _HidesTheExpired(Listings):
    """Does not list payment methods of which no expiry is known."""

    def payment_methods(self, contents: CollectionContents) -> list[payment_methods_pb2.PaymentMethod]:
        return [method for method in super().payment_methods(contents) if method.expiry_year]


# The limit for saving.


class _NoLimit(Decider):
    def saving_limit(self, case: Case) -> Answer | None:
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

    def saving_limit(self, case: Case) -> Answer | None:
        answer = super().saving_limit(case)
        if answer is None:
            return None
        return refuse(Reason.REASON_PAYMENT_METHODS_FULL, "too many payment methods saved")


class _LimitsDuplicates(Decider):
    """Asks the limit before it looks whether it has decided the operation."""

    STEPS = moved(Decider.STEPS, "saving_limit", "already_decided")


MUTANTS = (
    Mutant(
        "first-payment-method-stays",
        "Applies a save under an id that is there, and keeps what was there.",
        ("payment/save", "payment/full", "payment/listing"),
        "decider",
        _ruled_by(_FirstStays),
    ),
    Mutant(
        "label-stays",
        "Keeps the old label when a payment method is replaced.",
        ("payment/save", "payment/listing", "payment/full"),
        "decider",
        _ruled_by(_LabelStays),
    ),
    Mutant(
        "every-save-changes",
        "Says of every save that it changed something, and gives it a revision.",
        ("payment/save",),
        "decider",
        _ruled_by(_AlwaysChanges),
    ),
    Mutant(
        "new-label-is-no-change",
        "Keeps the old label when nothing else is new.",
        ("payment/save", "payment/listing", "payment/full"),
        "decider",
        _ruled_by(_LabelIsNoChange),
    ),
    Mutant(
        "looks-alike-is-no-change",
        "Takes another token for no change when what is shown of it is the same.",
        ("payment/save",),
        "decider",
        _ruled_by(_LooksAlike),
    ),
    Mutant(
        "a-token-is-kept-once",
        "Does not save a token under a second id.",
        ("payment/save", "payment/full"),
        "decider",
        _ruled_by(_OneOfAToken),
    ),
    Mutant(
        "as-the-provider-first-said",
        "Shows of a token for ever what the provider said of it first.",
        ("payment/as-provided", "payment/save"),
        "decider",
        _ruled_by(_AsFirstSaid),
    ),
    Mutant(
        "two-digits-of-a-year",
        "Shows the last two digits of the year of expiry.",
        ("payment/as-provided",),
        "decider",
        _ruled_by(_ShortYears),
    ),
    Mutant(
        "folds-brands",
        "Shows brands in lower case.",
        ("payment/as-provided",),
        "decider",
        _ruled_by(_FoldsBrands),
    ),
    Mutant(
        "digits-are-a-number",
        "Drops the zeros before the last four digits.",
        ("payment/as-provided",),
        "decider",
        _ruled_by(_DigitsAreANumber),
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
        ("payment/token-checked", "payment/replay-unchecked", "payment/rate-limited", "payment/revision"),
        "decider",
        _ruled_by(_Trusts),
    ),
    Mutant(
        "trusts-replacements",
        "Replaces a payment method by a token by which nobody stands.",
        ("payment/token-checked",),
        "decider",
        _ruled_by(_TrustsReplacements),
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
        _ruled_by(_NamesTheToken),
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
        ("payment/backend",),
        "decider",
        _SavesUnasked,
    ),
    Mutant(
        "unreachable-is-no",
        "Rejects a save while the provider cannot be reached.",
        ("payment/backend",),
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
        "deletes-no-payment-method",
        "Says that a payment method is deleted, and keeps it.",
        ("payment/delete", "payment/full", "payment/revision"),
        "decider",
        _ruled_by(_DeletesNothing),
    ),
    Mutant(
        "deletion-of-missing-method-rejected",
        "Rejects the deletion of a payment method that is not there.",
        ("payment/delete", "payment/revision"),
        "decider",
        _MissingIsAnError,
    ),
    Mutant(
        "every-deletion-changes",
        "Says of the deletion of a missing payment method that it changed something.",
        ("payment/delete", "payment/revision"),
        "decider",
        _ruled_by(_DeletionsAlwaysChange),
    ),
    Mutant(
        "one-payment-method-too-many",
        "Keeps one payment method more than its policy allows.",
        ("payment/full",),
        "decider",
        _ruled_by(_OneTooMany),
    ),
    Mutant(
        "one-payment-method-too-few",
        "Has no room for the last payment method that its policy allows.",
        ("payment/full",),
        "decider",
        _ruled_by(_OneTooFew),
    ),
    Mutant(
        "full-set-is-frozen",
        "Takes no replacement when there is no room for another payment method.",
        ("payment/full",),
        "decider",
        _ruled_by(_FullIsFrozen),
    ),
    Mutant(
        "deleted-payment-methods-count",
        "Counts deleted payment methods among those that there may be.",
        ("payment/full",),
        "decider",
        _DeletedCount,
    ),
    Mutant(
        "room-before-token",
        "Looks for room before it looks at the token.",
        ("deciding/refusal-order",),
        "decider",
        _ruled_by(_FullBeforeToken),
    ),
    Mutant(
        "any-token",
        "Takes tokens with spaces and letters beyond ASCII.",
        ("payment/fields",),
        "decider",
        _AnyToken,
    ),
    Mutant(
        "tokens-of-any-length",
        "Takes tokens that are too long.",
        ("payment/fields",),
        "decider",
        _LongTokens,
    ),
    Mutant(
        "short-tokens-only",
        "Refuses tokens of more than 255 characters.",
        ("payment/fields",),
        "decider",
        _ShortTokens,
    ),
    Mutant(
        "any-provider-name",
        "Takes providers by any name.",
        ("payment/fields",),
        "decider",
        _AnyProviderName,
    ),
    Mutant(
        "labels-of-many-lines",
        "Takes labels with control characters.",
        ("payment/fields",),
        "decider",
        _AnyLabel,
    ),
    Mutant(
        "counts-label-bytes",
        "Counts a label in bytes.",
        ("payment/fields",),
        "decider",
        _LabelInBytes,
    ),
    Mutant(
        "any-payment-method-id",
        "Takes ids of payment methods that are no canonical UUIDs.",
        ("payment/fields",),
        "decider",
        _AnyMethodId,
    ),
    Mutant(
        "rejects-payment-methods-at-zero",
        "Answers a rejection on payment methods with no revision.",
        ("payment/revision",),
        "decider",
        _RejectsAtZero,
    ),
    Mutant(
        "deletions-keep-the-revision",
        "Deletes a payment method without a new revision.",
        ("payment/revision",),
        "decider",
        _DeletionsKeepTheRevision,
    ),
    Mutant(
        "last-save-wins",
        "Saves a payment method without looking whether others were saved meanwhile.",
        ("payment/concurrent", "payment/revision", "payment/full"),
        "open_store",
        stored_in(unguarded(PAYMENT_METHODS)),
    ),
    Mutant(
        "methods-and-watermark-of-two-instants",
        "Reads the payment methods first and the watermark later.",
        ("payment/listing",),
        "open_store",
        stored_in(of_two_instants(PAYMENT_METHODS)),
    ),
    Mutant(
        "payment-methods-by-addition",
        "Lists payment methods in the order in which they were saved.",
        ("payment/listing",),
        "listings",
        _ByAddition,
    ),
    Mutant(
        "methods-at-one-revision",
        "Shows every payment method at the revision of the last change of any.",
        ("payment/listing",),
        "listings",
        _AtTheListsRevision,
    ),
    Mutant(
        "hides-methods-without-expiry",
        "Does not list payment methods of which no expiry is known.",
        ("payment/listing", "payment/as-provided"),
        "listings",
        _HidesTheExpired,
    ),
    Mutant(
        "saves-without-limit",
        "Saves payment methods over the limit for saving.",
        ("payment/rate-limited",),
        "decider",
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
        ("payment/rate-limited",),
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
