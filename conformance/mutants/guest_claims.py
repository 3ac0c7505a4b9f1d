"""Claims that take over too much, too little, twice, or in halves."""

# ruff: noqa: ARG002, N802 - names and arguments are those of the reference server and its generated base classes

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import grpc.aio
from cartsync.v1 import guest_claim_pb2, operation_pb2, reason_pb2

from conformance.mutants.mutant import Mutant, stored_in
from reference_server.engine import claim_changes, claim_tokens
from reference_server.engine.cases import Answer, Applied, Case, Decision
from reference_server.engine.claim_rules import ClaimCase, ClaimOutcome, ClaimRules, LineClaim
from reference_server.engine.deciding import Decider
from reference_server.engine.policy import Policy
from reference_server.engine.refusals import Reason, Refused, refuse
from reference_server.engine.state import CartContents, CartHead, Changes, RecordRange
from reference_server.ports import BackendUnavailableError, Offer
from reference_server.service.calls import current_call
from reference_server.service.guests import GuestServicer
from reference_server.settlement import Settled, Settlement
from reference_server.storage import sqlite_reading
from reference_server.storage.sqlite import SqliteStore

_LIMIT_REASONS = (Reason.REASON_LINE_LIMIT_EXCEEDED, Reason.REASON_INSUFFICIENT_INVENTORY)


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


class _TakesTheLarger(ClaimRules):
    def whole(self, quantity_before: int, guest_quantity: int) -> int:
        return max(quantity_before, guest_quantity)


class _TakesTheGuests(ClaimRules):
    def whole(self, quantity_before: int, guest_quantity: int) -> int:
        return guest_quantity


class _TakesNewLinesOnly(ClaimRules):
    """Leaves the lines alone that the account has already."""

    def whole(self, quantity_before: int, guest_quantity: int) -> int:
        return quantity_before or guest_quantity


class _ReplacesTheCart(Decider):
    """The guest's cart takes the place of the account's."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._seen: dict[tuple[str, str], set[str]] = {}

    def cart_rules(self, case: Case) -> Answer | None:
        answer = super().cart_rules(case)
        if not isinstance(answer, Refused):
            self._seen.setdefault((case.situation.principal, case.intent.cart_id), set()).add(case.intent.sku)
        return answer

    def claim_rules(self, case: Case) -> Answer | None:
        answer = super().claim_rules(case)
        if not isinstance(answer, Applied) or not answer.changed:
            return answer
        cart_id = case.intent.cart_id
        head = answer.writes.carts[cart_id]
        claimed = {line.sku for line in answer.claimed_lines}
        gone = self._seen.get((case.situation.principal, cart_id), set()) - claimed
        lines = {
            (cart_id, sku): case.working.line((cart_id, sku)).after(0, head.revision, case.situation.queue_id)
            for sku in gone
        }
        carts = {cart_id: replace(head, line_count=head.line_count - len(gone))}
        writes = replace(answer.writes, carts=carts, lines={**lines, **answer.writes.lines})
        return replace(answer, writes=writes)


class _RevisionPerLine(Decider):
    """Moves the cart's revision on for every line that a claim changes."""

    def claim_rules(self, case: Case) -> Answer | None:
        answer = super().claim_rules(case)
        if not isinstance(answer, Applied) or not answer.changed:
            return answer
        cart_id, count = case.intent.cart_id, len(answer.writes.lines)
        head = answer.writes.carts[cart_id]
        carts = {cart_id: replace(head, revision=head.revision + count - 1)}
        return replace(answer, writes=replace(answer.writes, carts=carts))


class _AnyStock(ClaimRules):
    def most_in_stock(self, case: ClaimCase, sku: str) -> int | None:
        return None


class _StockOfTheGuest(ClaimRules):
    """Compares the stock with what the guest had, not with the sum."""

    def most_in_stock(self, case: ClaimCase, sku: str) -> int | None:
        most = super().most_in_stock(case, sku)
        return None if most is None else case.quantities.get(sku, 0) + min(most, case.guest_quantities[sku])


class _AnyQuantity(ClaimRules):
    def most_of_a_line(self, case: ClaimCase, sku: str) -> int | None:
        return None


class _AnyNumberOfLines(ClaimRules):
    def line_count_exceeded(self, case: ClaimCase, sku: str, line_count: int) -> bool:
        return False


class _CountsLinesBefore(ClaimRules):
    """Compares with the line limit what the cart had before the claim, for each line anew."""

    def line(self, case: ClaimCase, sku: str, line_count: int) -> LineClaim:
        return super().line(case, sku, 0 if case.cart is None else case.cart.line_count)


class _FullCartTakesNothing(ClaimRules):
    """Lets no line of a full cart grow."""

    def line_count_exceeded(self, case: ClaimCase, sku: str, line_count: int) -> bool:
        return line_count >= self.policy.max_line_count


class _CutsBelow(ClaimRules):
    """Cuts a line down to the stock, were there more of it before."""

    def line(self, case: ClaimCase, sku: str, line_count: int) -> LineClaim:
        line, most = super().line(case, sku, line_count), self.most_in_stock(case, sku)
        return line if most is None else replace(line, quantity_after=min(line.quantity_after, most))


class _AllOrNothing(ClaimRules):
    """Leaves a line alone that cannot become the whole sum."""

    def line(self, case: ClaimCase, sku: str, line_count: int) -> LineClaim:
        line = super().line(case, sku, line_count)
        return replace(line, quantity_after=line.quantity_before) if line.limit_reason else line


class _TakesUnlisted(ClaimRules):
    def sku_unlisted(self, case: ClaimCase, sku: str, line_count: int) -> bool:
        return False


class _AnyCurrency(ClaimRules):
    def currency_mismatch(self, case: ClaimCase, sku: str, line_count: int) -> bool:
        return False


class _CurrencyOfOffers(ClaimRules):
    """Compares an offer with the guest's cart, and not with the account's."""

    def currency_mismatch(self, case: ClaimCase, sku: str, line_count: int) -> bool:
        return super().currency_mismatch(replace(case, cart=None), sku, line_count)


class _CurrencyOfCarts(ClaimRules):
    """Compares the carts, and not the offers."""

    def currency_mismatch(self, case: ClaimCase, sku: str, line_count: int) -> bool:
        return super().currency_mismatch(replace(case, offers={}), sku, line_count)


class _ReportsChanges(ClaimRules):
    """Reports only the lines that were changed."""

    def apply(self, case: ClaimCase) -> ClaimOutcome:
        outcome = super().apply(case)
        return replace(outcome, lines=tuple(line for line in outcome.lines if line.changed))


class _ReportsWhatWasTaken(ClaimRules):
    """Reports as the guest's quantity what could be taken of it."""

    def line(self, case: ClaimCase, sku: str, line_count: int) -> LineClaim:
        line = super().line(case, sku, line_count)
        return replace(line, guest_quantity=line.quantity_after - line.quantity_before)


class _LastLineFirst(ClaimRules):
    def apply(self, case: ClaimCase) -> ClaimOutcome:
        outcome = super().apply(case)
        return replace(outcome, lines=outcome.lines[::-1])


class _NoLimitReason(ClaimRules):
    def line(self, case: ClaimCase, sku: str, line_count: int) -> LineClaim:
        return replace(super().line(case, sku, line_count), limit_reason=Reason.REASON_UNSPECIFIED)


class _AlwaysTheLineLimit(ClaimRules):
    """Where both cut, names the line limit, were the stock lower."""

    def line(self, case: ClaimCase, sku: str, line_count: int) -> LineClaim:
        line = super().line(case, sku, line_count)
        above = self.whole(line.quantity_before, line.guest_quantity) > self.policy.max_line_quantity
        if line.limit_reason in _LIMIT_REASONS and above:
            return replace(line, limit_reason=Reason.REASON_LINE_LIMIT_EXCEEDED)
        return line


class _StockBeforeLimit(ClaimRules):
    """Where stock and line limit cut alike, names the stock."""

    CEILINGS: ClassVar[tuple[tuple[str, reason_pb2.Reason.ValueType], ...]] = ClaimRules.CEILINGS[::-1]


class _CurrencyBeforeListing(ClaimRules):
    """Looks at the currency of an offer first."""

    EXCLUSIONS: ClassVar[tuple[tuple[str, reason_pb2.Reason.ValueType], ...]] = ClaimRules.EXCLUSIONS[::-1]


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


class _NothingIsNotFound(ClaimRules):
    """Rejects the claim of a guest's cart that is not there."""

    def judge(self, case: ClaimCase) -> ClaimOutcome | Refused:
        judged = super().judge(case)
        if isinstance(judged, ClaimOutcome) and judged.first and case.guest_cart is None:
            return refuse(Reason.REASON_CART_NOT_FOUND, "the guest has no such cart")
        return judged


class _EmptyIsNotFound(ClaimRules):
    """Rejects the claim of a guest's cart without lines."""

    def judge(self, case: ClaimCase) -> ClaimOutcome | Refused:
        judged = super().judge(case)
        if isinstance(judged, ClaimOutcome) and judged.first and case.guest_cart is not None and not judged.lines:
            return refuse(Reason.REASON_CART_NOT_FOUND, "the guest's cart has nothing to take")
        return judged


class _TakesClosedCarts(ClaimRules):
    """Takes over what a guest has bought already."""

    def apply(self, case: ClaimCase) -> ClaimOutcome:
        if case.guest_cart is not None and not case.claimed_cart_ids:
            return super().apply(replace(case, guest_cart=replace(case.guest_cart, closed=False)))
        return super().apply(case)


class _NothingClosesNothing(Decider):
    """A claim that takes no line leaves the guest as it was."""

    def claim_rules(self, case: Case) -> Answer | None:
        answer = super().claim_rules(case)
        if isinstance(answer, Applied) and not answer.changed:
            return replace(answer, writes=replace(answer.writes, claim=None))
        return answer


class _NothingIsAChange(Decider):
    """A claim that takes no line gives the account's cart a new revision all the same."""

    def claim_rules(self, case: Case) -> Answer | None:
        answer = super().claim_rules(case)
        cart = case.working.cart(case.intent.cart_id)
        if not isinstance(answer, Applied) or answer.changed or cart is None or answer.writes.claim is None:
            return answer
        change = self.change(case)
        moved = replace(cart, revision=change.revision, update_time_us=change.time_us)
        writes = replace(answer.writes, carts={case.intent.cart_id: moved})
        return replace(answer, changed=True, writes=writes)


class _OpenForClaims(ClaimRules):
    def cart_closed(self, case: ClaimCase) -> Refused | None:
        return None


class _ClosedTakesNothing(ClaimRules):
    """Applies a claim into a closed cart, with nothing taken and the guest closed."""

    def judge(self, case: ClaimCase) -> ClaimOutcome | Refused:
        judged = super().judge(case)
        closed = isinstance(judged, Refused) and judged.refusal.reason == Reason.REASON_CART_CLOSED
        return ClaimOutcome() if closed else judged


class _NeedsACart(ClaimRules):
    def judge(self, case: ClaimCase) -> ClaimOutcome | Refused:
        judged = super().judge(case)
        if isinstance(judged, ClaimOutcome) and judged.changed and case.cart is None:
            return refuse(Reason.REASON_CART_NOT_FOUND, "no add has made this cart")
        return judged


class _AlwaysMakesACart(Decider):
    """A claim makes the account's cart, be there a line to go into it or not."""

    def claim_rules(self, case: Case) -> Answer | None:
        answer = super().claim_rules(case)
        cart_id = case.intent.cart_id
        if not isinstance(answer, Applied) or answer.changed or case.working.cart(cart_id) is not None:
            return answer
        change = self.change(case)
        carts = {cart_id: CartHead(change.revision, "GBP", change.time_us)}
        return replace(answer, writes=replace(answer.writes, carts=carts))


class _MadeInPounds(ClaimRules):
    """Makes the account's cart in the currency of the shop."""

    def apply(self, case: ClaimCase) -> ClaimOutcome:
        return replace(super().apply(case), currency_code="GBP")


class _TakesNothingUnasked(Decider):
    """Takes a catalogue that does not answer for one that knows no product."""

    def backing_services(self, case: Case) -> Answer | None:
        answer = super().backing_services(case)
        return None if case.kind == "claim_guest_cart" and isinstance(answer, Refused) else answer


class _TakesAllUnasked(Decider):
    """Takes everything over while the catalogue does not answer."""

    def look_up_guest_lines(self, case: Case) -> None:
        try:
            super().look_up_guest_lines(case)
        except BackendUnavailableError:
            found = self._claim_case(case)
            currency_code = found.guest_cart.currency_code if found.guest_cart is not None else ""
            found.offers = {sku: Offer(sku, currency_code, 1, True, None) for sku in found.guest_quantities}


class _AsksForLinesOnly(Decider):
    """Waits for the catalogue only where it has a line to ask about."""

    def backing_services(self, case: Case) -> Answer | None:
        if case.kind == "claim_guest_cart" and not self._claim_case(case).guest_quantities:
            return None
        return super().backing_services(case)


class _RejectsUnasked(Decider):
    """Rejects a claim while the catalogue does not answer."""

    def backing_services(self, case: Case) -> Answer | None:
        answer = super().backing_services(case)
        if case.kind == "claim_guest_cart" and isinstance(answer, Refused):
            return refuse(Reason.REASON_SKU_UNKNOWN, "the catalogue does not know the products")
        return answer


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
        "claim-takes-the-larger",
        "Makes a line the larger of both instead of the sum.",
        (
            "claim/adds-lines",
            "claim/lines-reported",
            "claim/limits",
        ),
        "decider",
        _ruled(_TakesTheLarger),
    ),
    Mutant(
        "claim-takes-the-guests-line",
        "Makes a line what the guest had.",
        (
            "claim/adds-lines",
            "claim/lines-reported",
            "claim/limits",
        ),
        "decider",
        _ruled(_TakesTheGuests),
    ),
    Mutant(
        "claim-takes-new-lines-only",
        "Takes over only lines that the account has not.",
        (
            "claim/adds-lines",
            "claim/lines-reported",
            "claim/limits",
        ),
        "decider",
        _ruled(_TakesNewLinesOnly),
    ),
    Mutant(
        "claim-replaces-the-cart",
        "Takes the account's other lines out of its cart.",
        ("claim/adds-lines",),
        "decider",
        _ReplacesTheCart,
    ),
    Mutant(
        "claim-has-a-revision-per-line",
        "Gives the cart a revision for every line that a claim changes.",
        (
            "claim/adds-lines",
            "revision/judged-at",
        ),
        "decider",
        _RevisionPerLine,
    ),
    Mutant(
        "claim-oversells",
        "Takes lines over without looking at the stock.",
        (
            "claim/limits",
            "claim/lines-reported",
        ),
        "decider",
        _ruled(_AnyStock),
    ),
    Mutant(
        "claim-compares-the-guests-quantity",
        "Compares the stock with what the guest had.",
        (
            "claim/limits",
            "claim/lines-reported",
        ),
        "decider",
        _ruled(_StockOfTheGuest),
    ),
    Mutant(
        "claim-without-line-limit",
        "Makes lines longer than a line may be.",
        (
            "claim/limits",
            "claim/lines-reported",
        ),
        "decider",
        _ruled(_AnyQuantity),
    ),
    Mutant(
        "claim-of-any-number-of-lines",
        "Makes more lines than a cart may have.",
        ("claim/limits",),
        "decider",
        _ruled(_AnyNumberOfLines),
    ),
    Mutant(
        "claim-counts-lines-before",
        "Compares with the limit of lines what the cart had before the claim.",
        ("claim/limits",),
        "decider",
        _ruled(_CountsLinesBefore),
    ),
    Mutant(
        "claim-into-a-full-cart",
        "Lets no line of a full cart grow by a claim.",
        (
            "claim/limits",
            "claim/lines-reported",
        ),
        "decider",
        _ruled(_FullCartTakesNothing),
    ),
    Mutant(
        "claim-cuts-below",
        "Cuts a line below what the account had.",
        (
            "claim/limits",
            "claim/lines-reported",
        ),
        "decider",
        _ruled(_CutsBelow),
    ),
    Mutant(
        "claim-all-or-nothing",
        "Leaves a line alone where the whole sum is not to be had.",
        (
            "claim/limits",
            "claim/lines-reported",
        ),
        "decider",
        _ruled(_AllOrNothing),
    ),
    Mutant(
        "claim-takes-unlisted",
        "Takes over what is not for sale any more.",
        (
            "claim/limits",
            "claim/lines-reported",
            "claim/makes-cart",
        ),
        "decider",
        _ruled(_TakesUnlisted),
    ),
    Mutant(
        "claim-in-any-currency",
        "Takes lines over whatever their currency is.",
        (
            "claim/limits",
            "claim/lines-reported",
        ),
        "decider",
        _ruled(_AnyCurrency),
    ),
    Mutant(
        "claim-ignores-the-carts-currency",
        "Takes lines over into a cart of another currency.",
        (
            "claim/limits",
            "claim/lines-reported",
        ),
        "decider",
        _ruled(_CurrencyOfOffers),
    ),
    Mutant(
        "claim-ignores-the-offers-currency",
        "Takes lines over that are sold in another currency by now.",
        (
            "claim/limits",
            "claim/lines-reported",
        ),
        "decider",
        _ruled(_CurrencyOfCarts),
    ),
    Mutant(
        "claim-reports-changes-only",
        "Does not report lines that a limit has left as they were.",
        (
            "claim/lines-reported",
            "claim/limits",
        ),
        "decider",
        _ruled(_ReportsChanges),
    ),
    Mutant(
        "claim-reports-what-was-taken",
        "Reports as the guest's quantity what was taken of it.",
        (
            "claim/lines-reported",
            "claim/limits",
        ),
        "decider",
        _ruled(_ReportsWhatWasTaken),
    ),
    Mutant(
        "claim-reports-in-reverse",
        "Reports the lines of a claim in descending order.",
        (
            "claim/lines-reported",
            "claim/limits",
        ),
        "decider",
        _ruled(_LastLineFirst),
    ),
    Mutant(
        "claim-names-no-limit",
        "Does not say what cut a line of a claim.",
        (
            "claim/lines-reported",
            "claim/limits",
        ),
        "decider",
        _ruled(_NoLimitReason),
    ),
    Mutant(
        "claim-names-the-line-limit",
        "Names the line limit where the stock is lower.",
        (
            "claim/lines-reported",
            "claim/limits",
        ),
        "decider",
        _ruled(_AlwaysTheLineLimit),
    ),
    Mutant(
        "claim-names-the-stock",
        "Names the stock where the line limit is the same.",
        (
            "claim/lines-reported",
            "claim/limits",
        ),
        "decider",
        _ruled(_StockBeforeLimit),
    ),
    Mutant(
        "claim-names-the-currency",
        "Looks at currency and number of lines before it looks whether a product is listed.",
        (
            "claim/lines-reported",
            "claim/limits",
        ),
        "decider",
        _ruled(_CurrencyBeforeListing),
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
        ("claim/token-checked",),
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
        "claim-of-no-cart-refused",
        "Rejects the claim of a guest's cart that is not there.",
        ("claim/nothing-to-take",),
        "decider",
        _ruled(_NothingIsNotFound),
    ),
    Mutant(
        "claim-of-no-lines-refused",
        "Rejects the claim of a guest's cart without lines.",
        ("claim/nothing-to-take",),
        "decider",
        _ruled(_EmptyIsNotFound),
    ),
    Mutant(
        "claim-of-a-closed-cart",
        "Takes over what the guest has checked out.",
        ("claim/nothing-to-take",),
        "decider",
        _ruled(_TakesClosedCarts),
    ),
    Mutant(
        "claim-of-nothing-closes-nothing",
        "Does not close a guest that had nothing to take over.",
        ("claim/nothing-to-take",),
        "decider",
        _NothingClosesNothing,
    ),
    Mutant(
        "claim-of-nothing-is-a-change",
        "Gives the account's cart a new revision when a claim takes nothing.",
        (
            "claim/nothing-to-take",
            "claim/limits",
            "revision/unchanged",
        ),
        "decider",
        _NothingIsAChange,
    ),
    Mutant(
        "claim-into-a-closed-cart",
        "Takes lines over into a closed cart.",
        ("claim/cart-closed",),
        "decider",
        _ruled(_OpenForClaims),
    ),
    Mutant(
        "closed-cart-claims-nothing",
        "Applies a claim into a closed cart, and closes the guest.",
        ("claim/cart-closed",),
        "decider",
        _ruled(_ClosedTakesNothing),
    ),
    Mutant(
        "claim-needs-a-cart",
        "Rejects a claim into a cart that no add has made.",
        (
            "claim/makes-cart",
            "claim/token",
            "claim/lines-reported",
            "claim/guest-closed",
            "claim/adds-lines",
        ),
        "decider",
        _ruled(_NeedsACart),
    ),
    Mutant(
        "claim-always-makes-a-cart",
        "Makes the account's cart for a claim that takes nothing.",
        (
            "claim/makes-cart",
            "claim/idempotent",
            "cart/made-by-first-add",
        ),
        "decider",
        _AlwaysMakesACart,
    ),
    Mutant(
        "claim-makes-the-cart-in-pounds",
        "Makes the account's cart in the shop's currency.",
        ("claim/makes-cart",),
        "decider",
        _ruled(_MadeInPounds),
    ),
    Mutant(
        "claim-takes-nothing-unasked",
        "Takes nothing over while the catalogue cannot be reached, and closes the guest.",
        ("claim/backend",),
        "decider",
        _TakesNothingUnasked,
    ),
    Mutant(
        "claim-takes-all-unasked",
        "Takes everything over while the catalogue cannot be reached.",
        ("claim/backend",),
        "decider",
        _TakesAllUnasked,
    ),
    Mutant(
        "claim-asks-for-lines-only",
        "Decides claims that take no line while the catalogue cannot be reached.",
        ("claim/backend",),
        "decider",
        _AsksForLinesOnly,
    ),
    Mutant(
        "claim-rejected-unasked",
        "Rejects claims while the catalogue cannot be reached.",
        (
            "claim/backend",
            "backend/deferred",
        ),
        "decider",
        _RejectsUnasked,
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
