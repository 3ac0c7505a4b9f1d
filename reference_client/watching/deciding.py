"""What to do next while a cart is watched, and what to show of what arrives. Pure.

Every snapshot is whole, so nothing has to be remembered of a watch that was cut: it is begun again, and its first
snapshot tells all that was missed. What must not happen is that the shopper sees the cart go back. So an arrival is
shown only if it is not older, by (revision, watermark, price time), than what was shown of the same store; and of a
store that was left, nothing is shown any more (specification, section 15.3).

Before each watch the server is asked who the credential is to it: a cart of another shopper is shown to nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

from cartsync.v1 import cart_pb2, policy_pb2, service_pb2

from reference_client.machine.backoff import Backoff, Random
from reference_client.machine.failures import Again, GiveUp, StoreIsAnother, meaning_of
from reference_client.machine.values import CallFailure, StopReason

Arrival = service_pb2.WatchCartResponse | service_pb2.GetCartResponse


@dataclass(frozen=True, slots=True)
class AskPolicy:
    """Call `GetSyncPolicy`. Goes on with `policy_received` or `failed`."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Call `WatchCart`. Each snapshot goes to `arrived`; goes on with `failed`, or `silent`."""

    store_id: str


@dataclass(frozen=True, slots=True)
class Read:
    """Call `GetCart`. The snapshot goes to `arrived`; goes on with `was_read` or `failed`."""

    store_id: str


@dataclass(frozen=True, slots=True)
class Rest:
    """Wait so long. Goes on with `woken`."""

    seconds: float
    message: str = ""
    """What is in the way; empty when nothing is."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Watching on does not help until somebody acts."""

    reason: StopReason
    message: str


Step = AskPolicy | Watch | Read | Rest | Stop

_Order = tuple[int, int, int]


class CartWatch:
    """Watches one cart for the shopper named `principal` (empty: whoever the credential is).

    `poll_seconds`: how long to wait between two reads of a server that does not watch. `random` draws from [0, 1).
    """

    def __init__(
        self, principal: str, random: Random, *, backoff: Backoff | None = None, poll_seconds: float = 5.0
    ) -> None:
        self._principal = principal
        self._random = random
        self._backoff = backoff or Backoff()
        self._poll_seconds = poll_seconds
        self._store_id = ""
        self._left: set[str] = set()
        self._shown: _Order | None = None
        self._failures = 0
        self._polls_for_good = False
        self._polls = False
        self._is_reading = False

    @property
    def polls(self) -> bool:
        """Whether the cart is read again and again, because the server does not watch."""
        return self._polls

    def begin(self) -> Step:
        """The first step, also after the queue on this device was replaced."""
        self._is_reading = False
        return AskPolicy()

    def policy_received(self, response: service_pb2.GetSyncPolicyResponse) -> Step:
        """The server has said who the caller is, and what it offers."""
        if not response.principal or not response.store_id:
            message = "the server's policy names no principal or no store: it does not keep the protocol"
            return Stop(StopReason.INCOMPATIBLE, message)
        if self._principal and response.principal != self._principal:
            message = (
                f"this device holds the carts of {self._principal!r}, and the credential is that of "
                f"{response.principal!r}. Sign in as the former, or use another data directory for the latter"
            )
            return Stop(StopReason.PRINCIPAL_MISMATCH, message)
        self._principal = response.principal
        if not self._enter(response.store_id):
            return self._rest(0.0, "the server answers for a store that it had left")
        self._polls = self._polls_for_good or not _watches(response.policy)
        return self._call()

    def arrived(self, arrival: Arrival) -> bool:
        """Whether a snapshot is to be shown: not when the shopper has seen a newer one."""
        if not self._enter(arrival.store_id):
            return False
        order = _order(arrival.cart, arrival.queue)
        if self._shown is not None and order < self._shown:
            return False
        if self._shown is None or order[:2] > self._shown[:2]:
            self._failures = 0
        self._shown = order
        return True

    def was_read(self) -> Step:
        """A read has ended well."""
        self._is_reading = True
        return Rest(self._poll_seconds)

    def silent(self) -> Step:
        """Nothing has come for long; perhaps nothing can come any more, on a line that broke without a sound."""
        return AskPolicy()

    def failed(self, failure: CallFailure) -> Step:
        """A call has failed, or the watch was cut."""
        self._is_reading = False
        if failure.code == "UNIMPLEMENTED" and self._store_id and not self._polls:
            self._polls = self._polls_for_good = True
            return self._call()
        match meaning_of(failure):
            case GiveUp(reason, message):
                return Stop(reason, message)
            case StoreIsAnother():
                return self._rest(0.0, "the server's store was replaced")
            case Again(floor, _):
                said = f": {failure.message}" if failure.message else ""
                return self._rest(floor, f"{failure.code}{said}")

    def woken(self) -> Step:
        """The rest is over. After trouble the server is asked anew who and what it is."""
        return self._call() if self._is_reading else AskPolicy()

    def _call(self) -> Step:
        return Read(self._store_id) if self._polls else Watch(self._store_id)

    def _rest(self, floor: float, message: str) -> Rest:
        self._failures += 1
        return Rest(self._backoff.delay(self._failures, floor, self._random), message)

    def _enter(self, store_id: str) -> bool:
        """Takes note of the store that answers. False for one that was left: its carts are those of before."""
        if store_id == self._store_id:
            return True
        if store_id in self._left:
            return False
        if self._store_id:
            self._left.add(self._store_id)
        self._store_id, self._shown = store_id, None
        return True


def _watches(policy: policy_pb2.SyncPolicy) -> bool:
    return "watch" in policy.profiles


def _order(cart: cart_pb2.Cart, queue: service_pb2.QueueState) -> _Order:
    return (cart.revision, queue.decided_through_sequence, cart.price_time.ToNanoseconds())
