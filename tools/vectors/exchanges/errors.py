"""Status errors, with the details that travel in `grpc-status-details-bin`."""

from __future__ import annotations

from cartsync.v1 import service_pb2
from google.rpc import error_details_pb2, status_pb2

from tools.vectors.script import TEA, Play, exchange


@exchange(
    "invalid-argument", "A request that is wrong", "errors/error-info", "errors/field-path", "submission/all-or-nothing"
)
async def invalid_argument(play: Play) -> None:
    """What is wrong with the request as a whole ends the call, and nothing of it was processed. `BadRequest` names the
    field by its path from the request."""
    await play.offer(TEA, 425)
    phone = play.device()
    shouting = phone.add(TEA, 1, key="0000ABCD-0000-4000-8000-000000000001")
    await phone.submit(shouting, note="A key in capitals.")
    phone.last_sequence, phone.last_key = 0, ""
    first = phone.add(TEA, 1)
    third = phone.add(TEA, 1, sequence=3)
    await phone.submit(first, third, note="Sequence 2 is missing between the two.")
    await phone.submit(note="No attempts.")
    await phone.submit(first, note="No principal expected.", expected_principal="")
    await phone.cart("my cart", note="A cart id with a blank.")
    await phone.look_up(2, 1, note="A range that ends before it begins.")
    await phone.submit(first, note="Nothing of all that was processed: sequence 1 is still next.")


@exchange("unauthenticated", "No credential", "identity/credential-required", "errors/error-info")
async def unauthenticated(play: Play) -> None:
    """A call without a credential. It says nothing about the operations: the client gets a credential and sends the
    same."""
    phone = play.device()
    request = service_pb2.SubmitOperationsRequest(
        queue_id=phone.queue_id, expected_principal=phone.principal, attempts=[phone.add(TEA, 1)]
    )
    await play.call("", "CartSyncService/SubmitOperations", request)


@exchange("principal-mismatch", "Another account signed in", "identity/expected-principal")
async def principal_mismatch(play: Play) -> None:
    """On a shared device Bob is signed in, and Ann's queue must not drain into his cart. The submission names whom it
    belongs to, and is refused."""
    await play.offer(TEA, 425)
    phone = play.device("ann")
    request = service_pb2.SubmitOperationsRequest(
        queue_id=phone.queue_id, expected_principal="ann", attempts=[phone.add(TEA, 1)]
    )
    await play.call("bob", "CartSyncService/SubmitOperations", request)


@exchange(
    "store-changed",
    "The server was restored from a backup",
    "store/changed-refused",
    "store/changed-names-current",
    "store/new-id-after-restore",
    "store/restored-watermark",
)
async def store_changed(play: Play) -> None:
    """The store goes back to a backup that lacks a confirmed operation, and takes another id. The client's next request
    names the old one and is refused; the details name the new one. The client looks up what this store has decided:
    sequence 2, which was confirmed, is provably undecided here. It is shown to the shopper as lost, and sequence 3, of
    which nothing was ever confirmed, goes on in a new queue."""
    await play.offer(TEA, 425)
    phone = play.device()
    await phone.policy()
    await phone.submit(phone.add(TEA, 1))
    await play.arrange("SaveStore", name="last-night")
    await phone.submit(phone.add(TEA, 2))
    await play.arrange("RestoreStore", name="last-night")
    waiting = phone.add(TEA, 3)
    status = await phone.submit(waiting)
    phone.store_id = _store_id_in(status)
    await phone.look_up(1, 3)
    successor = play.device()
    successor.store_id = phone.store_id
    await successor.submit(successor.add(TEA, 3), note="A new queue, and keys of its own.")
    await successor.cart()


def _store_id_in(status: status_pb2.Status) -> str:
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        detail.Unpack(info)
    return str(info.metadata["store_id"])
