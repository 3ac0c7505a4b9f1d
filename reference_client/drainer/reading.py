"""Reading anew what the shopper looks at, after a drain: carts, and what the server offers beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reference_client.drainer.transport import CallFailedError, Session, Transport
from reference_client.queue import QueueFile
from reference_client.queue.account_snapshots import AccountResponse


def read_anew(queues: QueueFile, transport: Transport, queue_id: str, default_carts: Sequence[str]) -> bool:
    """Reads every known cart, and the parts of the account whose profile the policy lists.

    What cannot be read keeps its last snapshot; False then.
    """
    record = queues.queue(queue_id)
    session = Session(record.store_id, queue_id, record.principal)
    policy = queues.policy(record.server)
    calls: dict[str, Callable[[Session], AccountResponse]] = {
        "address_book": transport.addresses,
        "payment_methods": transport.payment_methods,
        "wishlist": transport.wishlist,
    }
    try:
        for cart_id in queues.carts(record.server) or default_carts:
            queues.save_snapshot(record.server, transport.cart(session, cart_id))
        for profile, call in calls.items():
            if policy is not None and profile in policy.profiles:
                queues.save_account_snapshot(record.server, call(session))
    except CallFailedError:
        return False
    return True
