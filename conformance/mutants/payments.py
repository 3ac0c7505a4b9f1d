"""Which payment methods are kept, and how they are checked, counted and listed."""

# ruff: noqa: ARG002 - names and arguments are those of the reference server

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cartsync.v1 import outcome_pb2, payment_methods_pb2

from conformance.mutants.addresses import of_two_instants, unguarded
from conformance.mutants.mutant import Mutant, stored_in
from reference_server.engine import well_formed
from reference_server.engine.cases import Answer, Applied, Case
from reference_server.engine.deciding import Decider
from reference_server.engine.entry_rules import EntryOutcome
from reference_server.engine.listings import Listings
from reference_server.engine.payment_rules import KeptPaymentMethod, PaymentCase, PaymentRules
from reference_server.engine.policy import Policy
from reference_server.engine.refusals import Reason, Refused, refuse
from reference_server.engine.state import PAYMENT_METHODS, CollectionContents, Head

_KINDS = ("save_payment_method", "delete_payment_method")


def ruled_by(rules: type[PaymentRules]) -> Callable[[Policy], Decider]:
    """A decider with these rules of payment methods."""
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


MUTANTS = (
    Mutant(
        "first-payment-method-stays",
        "Applies a save under an id that is there, and keeps what was there.",
        ("payment/save", "payment/full", "payment/listing"),
        "decider",
        ruled_by(_FirstStays),
    ),
    Mutant(
        "label-stays",
        "Keeps the old label when a payment method is replaced.",
        ("payment/save", "payment/listing", "payment/full"),
        "decider",
        ruled_by(_LabelStays),
    ),
    Mutant(
        "every-save-changes",
        "Says of every save that it changed something, and gives it a revision.",
        ("payment/save",),
        "decider",
        ruled_by(_AlwaysChanges),
    ),
    Mutant(
        "new-label-is-no-change",
        "Keeps the old label when nothing else is new.",
        ("payment/save", "payment/listing", "payment/full"),
        "decider",
        ruled_by(_LabelIsNoChange),
    ),
    Mutant(
        "looks-alike-is-no-change",
        "Takes another token for no change when what is shown of it is the same.",
        ("payment/save",),
        "decider",
        ruled_by(_LooksAlike),
    ),
    Mutant(
        "a-token-is-kept-once",
        "Does not save a token under a second id.",
        ("payment/save", "payment/full"),
        "decider",
        ruled_by(_OneOfAToken),
    ),
    Mutant(
        "deletes-no-payment-method",
        "Says that a payment method is deleted, and keeps it.",
        ("payment/delete", "payment/full", "payment/revision"),
        "decider",
        ruled_by(_DeletesNothing),
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
        ruled_by(_DeletionsAlwaysChange),
    ),
    Mutant(
        "one-payment-method-too-many",
        "Keeps one payment method more than its policy allows.",
        ("payment/full",),
        "decider",
        ruled_by(_OneTooMany),
    ),
    Mutant(
        "one-payment-method-too-few",
        "Has no room for the last payment method that its policy allows.",
        ("payment/full",),
        "decider",
        ruled_by(_OneTooFew),
    ),
    Mutant(
        "full-set-is-frozen",
        "Takes no replacement when there is no room for another payment method.",
        ("payment/full",),
        "decider",
        ruled_by(_FullIsFrozen),
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
        ruled_by(_FullBeforeToken),
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
)
