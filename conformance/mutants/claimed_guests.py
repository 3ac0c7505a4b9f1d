"""What becomes of a guest that was claimed, of its token, and of claims that meet."""

# ruff: noqa: ARG002, N802 - names and arguments are those of the reference server and its generated base classes

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import grpc.aio
from cartsync.v1 import guest_claim_pb2, operation_pb2

from conformance.mutants.mutant import Mutant, stored_in
from reference_server.engine import claim_changes, claim_tokens
from reference_server.engine.cases import Answer, Applied, Case, Decision
from reference_server.engine.claim_rules import ClaimCase, ClaimOutcome, ClaimRules
from reference_server.engine.deciding import Decider
from reference_server.engine.policy import Policy
from reference_server.engine.refusals import Reason, Refused, refuse
from reference_server.engine.state import CartContents, Changes, RecordRange
from reference_server.service.calls import current_call
from reference_server.service.guests import GuestServicer
from reference_server.settlement import Settled, Settlement
from reference_server.storage import sqlite_reading
from reference_server.storage.sqlite import SqliteStore


class _TokensForAll(GuestServicer):
    async def IssueClaimToken(
        self,
        request: guest_claim_pb2.IssueClaimTokenRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> guest_claim_pb2.IssueClaimTokenResponse:
        token, store_id = await self._reads.claim_token(current_call().principal, request.store_id)
        return guest_claim_pb2.IssueClaimTokenResponse(store_id=store_id, claim_token=token)


class _EmptyTokens(GuestServicer):
    """Gives a token to nobody."""

    async def IssueClaimToken(
        self,
        request: guest_claim_pb2.IssueClaimTokenRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> guest_claim_pb2.IssueClaimTokenResponse:
        answer = await super().IssueClaimToken(request, context)
        answer.ClearField("claim_token")
        return answer


class _TokensForOneClaim(Decider):
    """A token is used up by the claim that is made with it."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._used: set[tuple[str, str]] = set()

    def claim_rules(self, case: Case) -> Answer | None:
        answer = super().claim_rules(case)
        if not isinstance(answer, Applied):
            return answer
        name = case.intent.claim_token, case.intent.guest_cart_id
        if any(token == name[0] and cart_id != name[1] for token, cart_id in self._used):
            return refuse(Reason.REASON_CLAIM_TOKEN_INVALID, "the token was used")
        self._used.add(name)
        return answer


class _GuestGoesOn(Decider):
    def principal_claimed(self, case: Case) -> Answer | None:
        return None


class _GuestGoesOnElsewhere(Decider):
    """A claimed guest may fill another cart."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._claimed: set[str] = set()

    def claim_rules(self, case: Case) -> Answer | None:
        self._claimed.add(case.intent.guest_cart_id)
        return super().claim_rules(case)

    def principal_claimed(self, case: Case) -> Answer | None:
        elsewhere = case.kind == "add_item" and case.intent.cart_id not in self._claimed
        return None if elsewhere else super().principal_claimed(case)


class _GuestGoesOnWishing(Decider):
    """A claimed guest may change what is none of its carts."""

    def principal_claimed(self, case: Case) -> Answer | None:
        return None if case.kind == "add_to_wishlist" else super().principal_claimed(case)


class _GuestGoesOnInNewQueues(Decider):
    """Closes the queues of a guest that are there, and not those to come."""

    def principal_claimed(self, case: Case) -> Answer | None:
        return None if case.operation.sequence == 1 else super().principal_claimed(case)


class _GuestDiscardsNothing(Decider):
    DISCARD_STEPS: ClassVar[tuple[str, ...]] = tuple(
        name
        for step in Decider.DISCARD_STEPS
        for name in (("principal_claimed", step) if step == "discard" else (step,))
    )


class _ClaimedLast(Decider):
    """Looks last at whether a guest was claimed, when the backing services were asked."""

    STEPS: ClassVar[tuple[str, ...]] = tuple(
        name
        for step in Decider.STEPS
        if step != "principal_claimed"
        for name in (("principal_claimed", step) if step == "intent_rules" else (step,))
    )


class _ClaimedCartOpen(SqliteStore):
    """Takes no more operations of a claimed guest, and shows its cart open."""

    async def read_cart(self, principal: str, cart_id: str, queue_id: str = "") -> CartContents:
        contents = await super().read_cart(principal, cart_id, queue_id)
        if contents.head is None or not await self._run(lambda: self._is_claimed(principal, cart_id)):
            return contents
        return replace(contents, head=replace(contents.head, closed=False))

    def _is_claimed(self, principal: str, cart_id: str) -> bool:
        found = self._connection.execute(
            "SELECT 1 FROM claims WHERE guest = ? AND guest_cart_id = ?", (principal, cart_id)
        ).fetchone()
        return found is not None


class _ClaimedCartEmpty(_ClaimedCartOpen):
    """Moves the lines, so that the guest's cart is empty."""

    async def read_cart(self, principal: str, cart_id: str, queue_id: str = "") -> CartContents:
        contents = await SqliteStore.read_cart(self, principal, cart_id, queue_id)
        claimed = await self._run(lambda: self._is_claimed(principal, cart_id))
        return replace(contents, quantities={}) if claimed else contents


class _NoReplaysForTheClaimed(Decider):
    """Looks first at whether a guest was claimed, and answers no duplicates."""

    STEPS: ClassVar[tuple[str, ...]] = (
        "principal_claimed",
        *(step for step in Decider.STEPS if step != "principal_claimed"),
    )

    def is_recorded(self, refused: Refused) -> bool:
        return super().is_recorded(refused) and refused.refusal.reason != Reason.REASON_PRINCIPAL_CLAIMED


class _ForgetsTheClaimed(SqliteStore):
    """Look-ups of a claimed guest find nothing."""

    async def read_range(self, principal: str, queue_id: str, first: int, last: int) -> RecordRange:
        found = await super().read_range(principal, queue_id, first, last)
        if await self._run(lambda: sqlite_reading.is_claimed(self._connection, principal)):
            return replace(found, decided_through_sequence=0, outcomes={})
        return found


class _HidesTheClaimed(SqliteStore):
    """A claimed guest's carts are there no more."""

    async def read_cart(self, principal: str, cart_id: str, queue_id: str = "") -> CartContents:
        contents = await super().read_cart(principal, cart_id, queue_id)
        if await self._run(lambda: sqlite_reading.is_claimed(self._connection, principal)):
            return replace(contents, head=None, quantities={}, decided_through_sequence=0 if queue_id else None)
        return contents


class _GuestUnguarded(SqliteStore):
    """What a guest's queue has decided is written although the guest was claimed meanwhile."""

    def still_holds(self, changes: Changes) -> bool:
        if not changes.expected_claimed and sqlite_reading.is_claimed(self._connection, changes.principal):
            changes = replace(changes, expected_claimed=True, expected_carts={})
        return super().still_holds(changes)


class _ClaimUnguarded(SqliteStore):
    """Takes over what a guest's cart held when it was read, whatever has come into it meanwhile."""

    def still_holds(self, changes: Changes) -> bool:
        return super().still_holds(replace(changes, expected_guests={}))

    def write(self, changes: Changes) -> None:
        for claim in changes.claims:
            self._connection.execute(
                "DELETE FROM claims WHERE guest = ? AND guest_cart_id = ?", (claim.guest, claim.guest_cart_id)
            )
        super().write(changes)


class _RacedClaims(_ClaimUnguarded):
    """Does not look again, when it commits a claim, whether the guest was claimed meanwhile."""

    by_another = False  # whether it is another account's claim that is not looked for

    def still_holds(self, changes: Changes) -> bool:
        for claim in changes.claims:
            name = claim.guest, claim.guest_cart_id
            now = sqlite_reading.guest_head(self._connection, name)[1].claimed_by
            if now is not None and (now != claim.account) == self.by_another:
                changes = replace(changes, expected_guests={}, expected_carts={})
        return SqliteStore.still_holds(self, changes)


class _RacedAccounts(_RacedClaims):
    by_another = True


class _AddsAgain(Decider):
    """A second claim of a guest's cart adds its lines once more."""

    def claim_rules(self, case: Case) -> Answer | None:
        found = self._claim_case(case)
        if not self.adds_again(case, found) or found.guest_cart is None:
            return super().claim_rules(case)
        opened = replace(found.guest_cart, closed=False)
        case.claim_case = replace(found, claimed_by=None, claimed_cart_ids=frozenset(), guest_cart=opened)
        answer = super().claim_rules(case)
        return replace(answer, writes=replace(answer.writes, claim=None)) if isinstance(answer, Applied) else answer

    def adds_again(self, case: Case, found: ClaimCase) -> bool:
        return self.claims.claimed_before(found)


class _AddsAgainForAnotherQueue(_AddsAgain):
    """Knows a second claim by its queue."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._queues: dict[tuple[str, str], str] = {}

    def adds_again(self, case: Case, found: ClaimCase) -> bool:
        queue_id, name = case.situation.queue_id, (found.guest or "", found.guest_cart_id)
        return self._queues.setdefault(name, queue_id) != queue_id and super().adds_again(case, found)


class _AddsAgainForAnotherCart(_AddsAgain):
    """Knows a second claim by the cart it is made into."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._carts: dict[tuple[str, str], str] = {}

    def adds_again(self, case: Case, found: ClaimCase) -> bool:
        cart_id, name = case.intent.cart_id, (found.guest or "", found.guest_cart_id)
        return self._carts.setdefault(name, cart_id) != cart_id and super().adds_again(case, found)


class _AgainRefused(ClaimRules):
    def already_claimed(self, case: ClaimCase) -> Refused | None:
        if self.claimed_before(case):
            return refuse(Reason.REASON_GUEST_ALREADY_CLAIMED, "the guest was claimed")
        return super().already_claimed(case)


class _OneCartOfAGuest(ClaimRules):
    """Takes the claim of a guest's second cart for one made before."""

    def claimed_before(self, case: ClaimCase) -> bool:
        return case.claimed_by == case.account


class _AddsForEveryAccount(_AddsAgain):
    """A guest may be claimed by account after account."""

    def adds_again(self, case: Case, found: ClaimCase) -> bool:
        return found.claimed_by not in (None, found.account)


class _OtherAccountsGetNothing(ClaimRules):
    """Answers other accounts that the claim is applied, and gives them nothing."""

    def judge(self, case: ClaimCase) -> ClaimOutcome | Refused:
        judged = super().judge(case)
        if isinstance(judged, Refused) and judged.refusal.reason == Reason.REASON_GUEST_ALREADY_CLAIMED:
            return ClaimOutcome(first=False)
        return judged


class _OtherCartsForOthers(_AddsAgain):
    """Other carts of a claimed guest may go to other accounts."""

    def adds_again(self, case: Case, found: ClaimCase) -> bool:
        return found.claimed_by not in (None, found.account) and found.guest_cart_id not in found.claimed_cart_ids


class _GuestsClaim(Decider):
    """Lets a guest claim another guest."""

    def _claim_case(self, case: Case) -> ClaimCase:
        if case.claim_case is None:
            case.claim_case = claim_changes.claim_case(
                case.intent, case.situation.principal, by_guest=False, working=case.working
            )
        return case.claim_case


class _FalseTokensTakeNothing(ClaimRules):
    """Answers that a claim is applied whose token is none of its own, and takes nothing."""

    def judge(self, case: ClaimCase) -> ClaimOutcome | Refused:
        judged = super().judge(case)
        invalid = isinstance(judged, Refused) and judged.refusal.reason == Reason.REASON_CLAIM_TOKEN_INVALID
        return ClaimOutcome(first=False) if invalid and not case.by_guest else judged


class _Unsealed(Decider):
    """Believes the name in a token."""

    def _claim_case(self, case: Case) -> ClaimCase:
        if case.claim_case is None:
            intent = operation_pb2.ClaimGuestCart()
            intent.CopyFrom(case.intent)
            guest = claim_tokens.guest_of(intent.claim_token)
            if guest is not None and self.believes(case, guest):
                intent.claim_token = claim_tokens.issue(case.working.reading.digest_key, guest)
            case.claim_case = claim_changes.claim_case(
                intent, case.situation.principal, by_guest=case.situation.is_guest, working=case.working
            )
        return case.claim_case

    def believes(self, case: Case, guest: str) -> bool:
        return True


class _ComparesThePrefix(_Unsealed):
    """Compares the first sixteen characters of a seal."""

    def believes(self, case: Case, guest: str) -> bool:
        good = claim_tokens.issue(case.working.reading.digest_key, guest)
        seal = good.rpartition(".")[2]
        return bool(case.intent.claim_token.rpartition(".")[2][:16] == seal[:16])


class _QueuesKeepTheirGuest(Settlement):
    """A queue belongs to whoever used its id first; who signs in goes on as the guest without a claim."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._owners: dict[str, str] = {}

    async def submit(
        self,
        principal: str,
        queue_id: str,
        attempts: Sequence[operation_pb2.OperationAttempt],
        expected_store_id: str = "",
    ) -> Settled:
        owner = self._owners.setdefault(queue_id, principal)
        return await super().submit(owner, queue_id, attempts, expected_store_id)


class _GuestFirst(Settlement):
    """Closes the guest in one transaction, and adds its lines in the next.

    What strikes after a commit strikes between.
    """

    async def commit(self, principal: str, decision: Decision) -> bool:
        changes = decision.changes
        if changes.claims:
            closing = replace(changes, queue=changes.expected_queue, records=(), carts={}, lines={}, effects=())
            if not await self._store.commit(closing):
                return False
            await self._interventions.after_commit(principal)
            decision = replace(decision, changes=replace(changes, claims=(), expected_guests={}))
        return await super().commit(principal, decision)


class _LinesFirst(Settlement):
    """Adds the lines in one transaction, and closes the guest in the next.

    What strikes after a commit strikes between.
    """

    async def commit(self, principal: str, decision: Decision) -> bool:
        changes = decision.changes
        if changes.claims:
            if not await self._store.commit(replace(changes, claims=())):
                return False
            await self._interventions.after_commit(principal)
            closing = replace(
                changes,
                expected_queue=changes.queue,
                records=(),
                expected_carts={},
                carts={},
                lines={},
                effects=(),
                expected_guests={},
            )
            decision = replace(decision, changes=closing)
        return await super().commit(principal, decision)


def _ruled(rules: type[ClaimRules]) -> Callable[[Policy], Decider]:
    """A decider with these claim rules."""
    return lambda policy: Decider(policy, claims=rules(policy))


MUTANTS = (
    Mutant(
        "claim-tokens-for-all",
        "Gives claim tokens to accounts.",
        ("claim/token",),
        "guest_service",
        _TokensForAll,
    ),
    Mutant(
        "empty-claim-tokens",
        "Gives guests an empty claim token.",
        ("claim/token",),
        "guest_service",
        _EmptyTokens,
    ),
    Mutant(
        "claim-token-used-up",
        "Takes a claim token for one cart of a guest only.",
        (
            "claim/token",
            "claim/other-account",
        ),
        "decider",
        _TokensForOneClaim,
    ),
    Mutant(
        "claimed-guest-goes-on",
        "Applies new operations of a claimed guest.",
        (
            "claim/guest-closed",
            "claim/guest-replays",
            "claim/one-commit",
            "claim/nothing-to-take",
            "claim/survives-crash",
        ),
        "decider",
        _GuestGoesOn,
    ),
    Mutant(
        "claimed-guest-goes-on-elsewhere",
        "Lets a claimed guest fill another cart.",
        (
            "claim/guest-closed",
            "claim/nothing-to-take",
        ),
        "decider",
        _GuestGoesOnElsewhere,
    ),
    Mutant(
        "claimed-guest-goes-on-wishing",
        "Lets a claimed guest change its wishlist.",
        ("claim/guest-closed",),
        "decider",
        _GuestGoesOnWishing,
    ),
    Mutant(
        "claimed-guest-goes-on-in-new-queues",
        "Applies what a claimed guest does in a new queue.",
        ("claim/guest-closed",),
        "decider",
        _GuestGoesOnInNewQueues,
    ),
    Mutant(
        "claimed-guest-discards-nothing",
        "Rejects the discards of a claimed guest.",
        ("claim/guest-closed",),
        "decider",
        _GuestDiscardsNothing,
    ),
    Mutant(
        "claimed-guest-waits-for-the-catalogue",
        "Asks the backing services before it looks whether a guest was claimed.",
        (
            "claim/guest-closed",
            "deciding/refusal-order",
        ),
        "decider",
        _ClaimedLast,
    ),
    Mutant(
        "claimed-cart-is-open",
        "Shows a claimed cart as open.",
        (
            "claim/guest-closed",
            "claim/survives-crash",
        ),
        "open_store",
        stored_in(_ClaimedCartOpen),
    ),
    Mutant(
        "claimed-cart-is-empty",
        "Shows a claimed cart without its lines.",
        (
            "claim/guest-closed",
            "claim/guest-replays",
            "claim/one-commit",
        ),
        "open_store",
        stored_in(_ClaimedCartEmpty),
    ),
    Mutant(
        "claimed-guest-has-no-replays",
        "Answers the duplicates of a claimed guest that it was claimed.",
        (
            "claim/guest-replays",
            "claim/guest-closed",
        ),
        "decider",
        _NoReplaysForTheClaimed,
    ),
    Mutant(
        "claimed-guest-has-no-records",
        "Tells a claimed guest that nothing of its queue was decided.",
        ("claim/guest-replays",),
        "open_store",
        stored_in(_ForgetsTheClaimed),
    ),
    Mutant(
        "claimed-guest-has-no-cart",
        "Shows a claimed guest that it has no cart.",
        (
            "claim/guest-replays",
            "claim/guest-closed",
            "claim/one-commit",
            "claim/survives-crash",
        ),
        "open_store",
        stored_in(_HidesTheClaimed),
    ),
    Mutant(
        "guest-unguarded",
        "Commits an operation of a guest without looking whether it was claimed meanwhile.",
        ("claim/one-commit",),
        "open_store",
        stored_in(_GuestUnguarded),
    ),
    Mutant(
        "claim-unguarded",
        "Commits a claim without looking whether the guest's cart has changed meanwhile.",
        (
            "claim/one-commit",
            "claim/idempotent",
            "claim/other-account",
        ),
        "open_store",
        stored_in(_ClaimUnguarded),
    ),
    Mutant(
        "claim-adds-again",
        "Adds the lines of a guest's cart with every claim.",
        ("claim/idempotent",),
        "decider",
        _AddsAgain,
    ),
    Mutant(
        "claim-adds-again-for-another-queue",
        "Adds the lines of a guest's cart once for each queue that claims it.",
        ("claim/idempotent",),
        "decider",
        _AddsAgainForAnotherQueue,
    ),
    Mutant(
        "claim-adds-again-for-another-cart",
        "Adds the lines of a guest's cart once to each cart of the account.",
        ("claim/idempotent",),
        "decider",
        _AddsAgainForAnotherCart,
    ),
    Mutant(
        "second-claim-refused",
        "Rejects a second claim of a guest's cart by the same account.",
        ("claim/idempotent",),
        "decider",
        _ruled(_AgainRefused),
    ),
    Mutant(
        "raced-claims-add-twice",
        "Commits a claim without looking whether the account has claimed the guest meanwhile.",
        ("claim/idempotent",),
        "open_store",
        stored_in(_RacedClaims),
    ),
    Mutant(
        "one-cart-of-a-guest",
        "Takes the claim of a guest's second cart for one that was made before.",
        (
            "claim/token",
            "claim/other-account",
            "claim/adds-lines",
        ),
        "decider",
        _ruled(_OneCartOfAGuest),
    ),
    Mutant(
        "guest-for-every-account",
        "Adds the lines of a guest's cart to every account that claims it.",
        ("claim/other-account",),
        "decider",
        _AddsForEveryAccount,
    ),
    Mutant(
        "other-accounts-get-nothing",
        "Answers a claim by another account that it is applied, and gives it nothing.",
        ("claim/other-account",),
        "decider",
        _ruled(_OtherAccountsGetNothing),
    ),
    Mutant(
        "other-carts-for-other-accounts",
        "Lets other accounts claim other carts of a claimed guest.",
        ("claim/other-account",),
        "decider",
        _OtherCartsForOthers,
    ),
    Mutant(
        "raced-accounts-both-claim",
        "Commits a claim without looking whether another account has claimed the guest meanwhile.",
        ("claim/other-account",),
        "open_store",
        stored_in(_RacedAccounts),
    ),
    Mutant(
        "guests-claim-guests",
        "Lets a guest claim a guest's cart.",
        ("claim/token-checked", "deciding/refusal-order"),
        "decider",
        _GuestsClaim,
    ),
    Mutant(
        "false-claim-tokens-take-nothing",
        "Applies a claim with a token that is none of its own, taking nothing.",
        ("claim/token-checked",),
        "decider",
        _ruled(_FalseTokensTakeNothing),
    ),
    Mutant(
        "unsealed-claim-tokens",
        "Believes the guest's name in a token.",
        (
            "security/claim-needs-token",
            "claim/token-checked",
        ),
        "decider",
        _Unsealed,
    ),
    Mutant(
        "prefix-of-a-claim-token",
        "Compares the beginning of a token's seal.",
        (
            "security/claim-needs-token",
            "claim/token-checked",
        ),
        "decider",
        _ComparesThePrefix,
    ),
    Mutant(
        "queues-keep-their-guest",
        "Takes whoever uses a guest's queue_id for the guest.",
        ("security/claim-needs-token",),
        "settlement",
        _QueuesKeepTheirGuest,
    ),
    Mutant(
        "claim-closes-the-guest-first",
        "Closes the guest in one commit, and adds its lines in the next.",
        (
            "claim/survives-crash",
            "durability/lost-answer",
        ),
        "settlement",
        _GuestFirst,
    ),
    Mutant(
        "claim-adds-the-lines-first",
        "Adds the guest's lines in one commit, and closes the guest in the next.",
        (
            "claim/survives-crash",
            "durability/lost-answer",
        ),
        "settlement",
        _LinesFirst,
    ),
)
