"""A model server with two shoppers, a guest and an account, and their devices: something to claim a cart in."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cartsync.v1 import operation_pb2, outcome_pb2, policy_pb2, reason_pb2, service_pb2
from faulty_link import CrashError, FaultyLink, no_fault
from offline_shopper import Clock, CrashingQueues
from spec_server import PRINCIPAL, SpecServer, Store, adds, applied, refused

from reference_client import CartClient
from reference_client.claiming import ClaimReport, GuestClaim
from reference_client.drainer.transport import CallFailedError
from reference_client.machine.values import CallFailure
from reference_client.queue.database import prepare
from reference_client.queue.rows import OperationRecord, OperationState

GUEST = "guest-1"
TOKEN = "a-claim-token"
PROFILES = ["core", "guest_claim"]


@dataclass
class GuestStore(Store):
    claimed_by: str = ""
    cart_is_taken: bool = False


class GuestSide(SpecServer):
    """What the server keeps for the guest."""

    def __init__(self) -> None:
        super().__init__()
        self.guest = GuestStore()
        self.store = self.guest
        self._saved = GuestStore()
        self.is_guest = True

    def restore(self) -> None:
        super().restore()
        assert isinstance(self.store, GuestStore)
        self.guest = self.store

    def policy(self) -> service_pb2.GetSyncPolicyResponse:
        response = super().policy()
        response.principal = GUEST
        response.policy.profiles[:] = PROFILES
        return response

    def check(self, store_id: str, principal: str = GUEST) -> None:
        super().check(store_id)
        if principal != GUEST:
            raise CallFailedError(CallFailure("FAILED_PRECONDITION", "PRINCIPAL_MISMATCH"))

    def claim_token(self, store_id: str) -> str:
        if not self.is_guest:
            return super().claim_token(store_id)
        self.check(store_id)
        return TOKEN

    def _apply(self, queue_id: str, operation: operation_pb2.CartOperation) -> outcome_pb2.OperationResult:
        if self.guest.claimed_by and operation.WhichOneof("intent") != "discard":
            return refused(operation, reason_pb2.REASON_PRINCIPAL_CLAIMED)
        return super()._apply(queue_id, operation)


class AccountSide(SpecServer):
    """What the server keeps for the account."""

    def __init__(self, guest: GuestSide) -> None:
        super().__init__()
        self._guest = guest
        self.cart_is_closed = False

    def policy(self) -> service_pb2.GetSyncPolicyResponse:
        response = super().policy()
        response.policy.profiles[:] = PROFILES
        return response

    def _apply(self, queue_id: str, operation: operation_pb2.CartOperation) -> outcome_pb2.OperationResult:
        if operation.WhichOneof("intent") != "claim_guest_cart":
            return super()._apply(queue_id, operation)
        guest = self._guest.guest
        if self.cart_is_closed:
            return refused(operation, reason_pb2.REASON_CART_CLOSED)
        if guest.claimed_by not in {"", PRINCIPAL}:
            return refused(operation, reason_pb2.REASON_GUEST_ALREADY_CLAIMED)
        result = applied(operation)
        guest.claimed_by = PRINCIPAL
        if not guest.cart_is_taken:
            guest.cart_is_taken = True
            for sku, quantity in sorted(guest.lines.items()):
                before = self.store.lines.get(sku, 0)
                self.store.lines[sku] = before + quantity
                result.outcome.claimed_lines.add(
                    sku=sku, guest_quantity=quantity, quantity_before=before, quantity_after=before + quantity
                )
            result.outcome.changed = bool(result.outcome.claimed_lines)
        return result


class Shop:
    """The server, the guest's device and the account's. `folder` holds nothing but the locks of both."""

    def __init__(self, folder: Path) -> None:
        self.guest_side = GuestSide()
        self.account_side = AccountSide(self.guest_side)
        self.clock = Clock()
        self.now = 0.0
        ids = itertools.count(1)
        self._new_id: Callable[[], str] = lambda: f"00000000-0000-4000-8000-{next(ids):012d}"
        self.guest_link = FaultyLink(self.guest_side)
        self.account_link = FaultyLink(self.account_side)
        self.guest = self._client(folder / "guest", self.guest_link)
        self.account = self._client(folder / "account", self.account_link)

    def _client(self, folder: Path, link: FaultyLink) -> CartClient:
        folder.mkdir(exist_ok=True)
        connection = sqlite3.connect(":memory:", isolation_level=None)
        return CartClient(
            folder,
            connect=lambda _: link,
            queues=CrashingQueues(prepare(connection), read_clock=self.clock, new_id=self._new_id),
            sleep=self.sleep,
            monotonic=lambda: self.now,
            random=lambda: 0.5,
        )

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    # ---- what happens

    def add(self, client: CartClient, *skus: str) -> None:
        client.queues.enqueue(client.server, adds(*skus))

    def claim(self, patience: float = 5.0, carts: dict[str, str] | None = None) -> ClaimReport:
        return GuestClaim(
            self.guest,
            self.account,
            carts,
            patience=patience,
            sleep=self.sleep,
            monotonic=lambda: self.now,
            random=lambda: 0.5,
        ).run()

    def fail_by(self, next_fault: Callable[[], str]) -> None:
        """From now on calls and writes of both devices go wrong as `next_fault` says."""
        for link, client in ((self.guest_link, self.guest), (self.account_link, self.account)):
            link.next_fault = next_fault
            queues = client.queues
            assert isinstance(queues, CrashingQueues)
            queues.next_fault = next_fault

    def survive(self, act: Callable[[], object]) -> bool:
        """Does something during which the process may die. False when it did."""
        try:
            act()
        except CrashError:
            return False
        return True

    def deliver_late(self) -> None:
        self.guest_link.deliver_late()
        self.account_link.deliver_late()

    def claim_to_the_end(self) -> ClaimReport:
        """Everything works now, and what is still on its way arrives in between."""
        self.fail_by(no_fault)
        self.guest_link.submit_fault = self.account_link.submit_fault = "ok"
        while self.guest_link.late or self.account_link.late:
            self.deliver_late()
        return self.claim(patience=600.0)

    def save(self) -> None:
        self.guest_side.save()
        self.account_side.save()

    def restore(self) -> None:
        self.guest_side.restore()
        self.account_side.restore()

    # ---- what there is to see

    def records(self, client: CartClient) -> list[OperationRecord]:
        return [r for queue in client.queues.queues() for r in client.queues.operations(queue.queue_id)]

    def states(self, client: CartClient) -> dict[str, OperationState]:
        """What the device knows of each product's add; of one that was issued again, what became of it last."""
        adds_only = [r for r in self.records(client) if r.operation.WhichOneof("intent") == "add_item"]
        return {r.operation.add_item.sku: r.state for r in adds_only}


def policy_without_claims() -> policy_pb2.SyncPolicy:
    return policy_pb2.SyncPolicy(profiles=["core"])
