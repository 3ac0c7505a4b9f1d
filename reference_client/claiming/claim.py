"""The claim of a guest's carts, from the guest's last synchronisation to the account's.

    guest's queue drained ─> token asked for ─> claim written down ─> account's queue drained: the claim is decided
      ─> guest's queue looked up, closed ─> what is undecided adopted, marked as moved ─> account's queue drained

Each arrow may be the last thing that this process did. Begun again, it finds on disk how far it came: a claim that is
written down is not written again, and would add nothing if it were (spec: claim/idempotent); `books` tells the rest.

The guest's queue is drained first, so that as much as possible is in the cart that is taken over, in the order in which
the shopper asked for it. Answers that were lost before are learnt by that, from duplicates. It need not succeed:
what it leaves is looked up after the claim. The look-up names the store in which the claim is known to be
applied, so that no other store can answer it.
"""

from __future__ import annotations

import enum
import random as random_module
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from cartsync.v1 import outcome_pb2, service_pb2

from reference_client import intents
from reference_client.claiming.books import AccountBook, GuestBook
from reference_client.client import CartClient, SyncReport, SyncStatus
from reference_client.drainer.drainer import queue_lock
from reference_client.drainer.transport import CallFailedError, Session, Transport
from reference_client.intents import DEFAULT_CART
from reference_client.machine import Backoff
from reference_client.machine.failures import Again, GiveUp, StoreIsAnother, meaning_of
from reference_client.machine.notices import refusal_text
from reference_client.machine.values import Notice
from reference_client.queue.rows import OperationState, QueueState

_T = TypeVar("_T")

_PROFILE = "guest_claim"
_LOOK_UP_COUNT = 100
"""How many sequences every server looks up at once (spec: policy floors)."""
_ROUNDS = 3
"""How often the server's store may change under one claim before it is left for later."""


class ClaimStatus(enum.Enum):
    """How a claim ended. What did not end well can be begun again."""

    DONE = "done"
    """The carts are taken over, and everything the guest had not settled is in the account's queue."""
    NOT_NOW = "not_now"
    """The server is away or puts things off. Everything is safe; the same again goes on from here."""
    STOPPED = "stopped"
    """Somebody has to act first, see `message`. Everything is safe."""
    REFUSED = "refused"
    """The server refused the claim for good; nothing of the guest was taken over."""


@dataclass(frozen=True, slots=True)
class ClaimReport:
    """What a claim came to."""

    status: ClaimStatus
    message: str = ""
    lines: tuple[outcome_pb2.ClaimedLine, ...] = ()
    """What became of each line of the guest's carts. Empty for a cart that had been claimed before."""
    adopted_count: int = 0
    """Operations of the guest that are now in the account's queue."""
    notices: tuple[Notice, ...] = ()
    """What the shopper should know: of the guest's queue, and of the account's."""
    pending_count: int = 0
    """Operations of the account that wait."""

    @property
    def needs_shopper(self) -> bool:
        """Whether the shopper should look at something."""
        return self.status in {ClaimStatus.STOPPED, ClaimStatus.REFUSED} or any(n.needs_action for n in self.notices)


class _EndedError(Exception):
    """The claim goes no further for now."""

    def __init__(self, status: ClaimStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class _StoreChangedError(Exception):
    """The server's store is another one than that of the claim: both queues have to find out first."""


@dataclass
class _Findings:
    lines: list[outcome_pb2.ClaimedLine] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    adopted_count: int = 0


class GuestClaim:
    """Takes carts of the shopper of `guest` over into the account of `account`: two folders, one server.

    `carts` says which cart of the account takes which of the guest's; by default each one the guest has, under its
    own name. `patience`: for how many seconds it may wait for the server, at each of its calls.
    """

    def __init__(
        self,
        guest: CartClient,
        account: CartClient,
        carts: Mapping[str, str] | None = None,
        *,
        patience: float = 5.0,
        backoff: Backoff | None = None,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        self._guest = guest
        self._account = account
        self._carts = dict(carts) if carts else self._all_carts()
        self._patience = patience
        self._backoff = backoff or Backoff()
        self._sleep = sleep
        self._monotonic = monotonic
        self._random = random
        self._guest_book = GuestBook(guest.queues, guest.server)
        self._account_book = AccountBook(account.queues, account.server)

    def _all_carts(self) -> dict[str, str]:
        return {cart: cart for cart in self._guest.queues.carts(self._guest.server) or [DEFAULT_CART]}

    def run(self) -> ClaimReport:
        """Goes as far as it can. Raises `QueueBusyError`, `CredentialError` and `StoreError`, as `sync` does.

        Safe to call again, and to kill, at any time.
        """
        findings = _Findings()
        status, message = ClaimStatus.DONE, ""
        try:
            self._round_by_round(findings)
        except _EndedError as ended:
            status, message = ended.status, str(ended)
        return ClaimReport(
            status,
            message,
            tuple(findings.lines),
            findings.adopted_count,
            tuple(findings.notices),
            self._account.queue().pending_count,
        )

    def _round_by_round(self, findings: _Findings) -> None:
        for _ in range(_ROUNDS):
            try:
                self._drain_guest(findings)
                self._claim(findings)
                self._settle_guest(findings)
            except _StoreChangedError:
                continue
            self._adopt(findings)
            return
        raise _EndedError(ClaimStatus.NOT_NOW, "the server's store changes again and again")

    # ---- the guest's queue, before -------------------------------------------------------------------------------

    def _drain_guest(self, findings: _Findings) -> None:
        report = self._guest.sync(patience=self._patience, backoff=self._backoff, read_carts=False)
        if report.status in {SyncStatus.UNREACHABLE, SyncStatus.STOPPED}:
            _end(report, "the guest's queue")
        findings.notices.extend(n for n in report.tally.notices if not self._is_orphan(n))
        if self._principal() == self._account.queue().principal:
            raise _EndedError(
                ClaimStatus.STOPPED, "both credentials belong to the same shopper; there is nothing to claim"
            )

    def _principal(self) -> str:
        return self._guest.queue().principal

    def _is_orphan(self, notice: Notice) -> bool:
        """Whether it is about an intent that was refused for the claim's sake and goes on in the account's queue."""
        return notice.kind == "rejected" and any(o.sequence == notice.sequence for o in self._guest_book.orphans())

    # ---- the claim -------------------------------------------------------------------------------------------------

    def _claim(self, findings: _Findings) -> None:
        token = ""
        guest = self._principal()
        for guest_cart, cart in self._carts.items():
            if self._needs_claim(guest, guest_cart):
                token = token or self._token()
                intent = intents.claim_guest_cart(token, guest_cart_id=guest_cart, cart_id=cart)
                self._account_book.enqueue_claim(guest, intent)
        before = {cart for cart in self._carts if self._state(guest, cart) is OperationState.APPLIED}
        report = self._account.sync(patience=self._patience, backoff=self._backoff)
        findings.notices.extend(report.tally.notices)
        states = [self._state(guest, cart) for cart in self._carts]
        if OperationState.PENDING in states or report.status is SyncStatus.HALTED:
            _end(report, "the account's queue")
        if None in states or OperationState.UNKNOWN in states:
            raise _StoreChangedError
        if OperationState.APPLIED not in states:
            raise _EndedError(ClaimStatus.REFUSED, f"the server refuses the claim: {self._refusals(guest)}")
        for cart in self._carts:
            claim = self._account_book.claim_of(guest, cart)
            if cart not in before and claim is not None and claim.outcome is not None:
                findings.lines.extend(claim.outcome.claimed_lines)

    def _needs_claim(self, guest: str, cart: str) -> bool:
        return self._state(guest, cart) not in {OperationState.PENDING, OperationState.APPLIED}

    def _state(self, guest: str, cart: str) -> OperationState | None:
        claim = self._account_book.claim_of(guest, cart)
        return claim.state if claim is not None else None

    def _refusals(self, guest: str) -> str:
        claims = [self._account_book.claim_of(guest, cart) for cart in self._carts]
        said = {refusal_text(c.outcome.refusal) for c in claims if c is not None and c.outcome is not None}
        return "; ".join(sorted(said)) or "it was given up"

    def _token(self) -> str:
        policy = self._guest.queues.policy(self._guest.server)
        if policy is not None and policy.profiles and _PROFILE not in policy.profiles:
            raise _EndedError(ClaimStatus.REFUSED, "this server does not let an account take over the cart of a guest")
        store_id = self._guest.queue().store_id
        return self._ask(self._guest, lambda transport: transport.claim_token(store_id))

    # ---- the guest's queue, after ----------------------------------------------------------------------------------

    def _settle_guest(self, findings: _Findings) -> None:
        findings.notices.extend(self._guest_book.leave_guarded())
        queue = self._guest.queue()
        if queue.pending_count == 0:
            return
        with queue_lock(self._guest.folder, queue.queue_id):
            queue = self._guest.queues.queue(queue.queue_id)
            if queue.state is not QueueState.ACTIVE:
                raise _StoreChangedError
            store_id = self._account.queue().store_id
            if queue.store_id != store_id:
                raise _StoreChangedError
            session = Session(store_id, queue.queue_id, queue.principal)
            watermark, statuses = self._ask(
                self._guest, lambda t: _look_up(t, session, queue.confirmed_through + 1, queue.last_sequence)
            )
            plan = self._guest_book.close(queue.queue_id, watermark, statuses)
        findings.notices.extend(plan.notices)
        findings.notices.extend(self._guest_book.leave_guarded())

    def _adopt(self, findings: _Findings) -> None:
        orphans = self._guest_book.orphans()
        if not orphans:
            return
        findings.adopted_count = self._account_book.adopt(orphans, self._carts)
        self._guest_book.mark_moved(orphans)
        report = self._account.sync(patience=self._patience, backoff=self._backoff)
        findings.notices.extend(report.tally.notices)
        if report.status is not SyncStatus.DRAINED:
            _end(report, "the guest's cart is taken over; what it had not settled")

    # ---- calls -----------------------------------------------------------------------------------------------------

    def _ask(self, client: CartClient, call: Callable[[Transport], _T]) -> _T:
        """Calls until there is an answer, as long as patience lasts."""
        give_up = self._monotonic() + self._patience
        failures = 0
        transport = client.connect()
        try:
            while True:
                try:
                    return call(transport)
                except CallFailedError as error:
                    failures += 1
                    match meaning_of(error.failure):
                        case GiveUp(_, message):
                            if error.failure.reason == "NOT_A_GUEST":
                                message = "the guest's credential is not that of a guest; there is nothing to claim"
                            raise _EndedError(ClaimStatus.STOPPED, message) from None
                        case StoreIsAnother():
                            raise _StoreChangedError from None
                        case Again(floor, _):
                            seconds = self._backoff.delay(failures, floor, self._random)
                            if self._monotonic() + seconds > give_up:
                                raise _EndedError(ClaimStatus.NOT_NOW, str(error)) from None
                            self._sleep(seconds)
        finally:
            transport.shut_down()


def _look_up(
    transport: Transport, session: Session, first: int, last: int
) -> tuple[int, Sequence[service_pb2.SequenceStatus]]:
    """The watermark and what is decided from `first` on, all of one store."""
    statuses: list[service_pb2.SequenceStatus] = []
    watermark = 0
    for start in range(first, last + 1, _LOOK_UP_COUNT):
        found = transport.look_up(session, start, min(last, start + _LOOK_UP_COUNT - 1))
        if found.store_id != session.store_id:
            raise _StoreChangedError
        watermark = found.queue.decided_through_sequence
        statuses.extend(found.statuses)
    return watermark, statuses


def _end(report: SyncReport, what: str) -> None:
    status = ClaimStatus.STOPPED if report.status in {SyncStatus.STOPPED, SyncStatus.HALTED} else ClaimStatus.NOT_NOW
    raise _EndedError(status, f"{what}: {report.message}")
