"""A guest's cart becomes an account's: profile `guest_claim`."""

from __future__ import annotations

from typing import Any

from cartsync.v1 import guest_claim_pb2, operation_pb2

from tools.vectors.script import CART, MUG, TEA, Device, Play, exchange


async def issue_token(device: Device, note: str = "") -> Any:
    """Ask for a claim token with the device's credential."""
    request = guest_claim_pb2.IssueClaimTokenRequest(store_id=device.store_id)
    return await device.play.call(device.principal, "GuestService/IssueClaimToken", request, note)


def claim(device: Device, token: str) -> operation_pb2.OperationAttempt:
    """The account takes over the guest's cart."""
    intent = operation_pb2.ClaimGuestCart(claim_token=token, guest_cart_id=CART, cart_id=CART)
    return device.draft(claim_guest_cart=intent)


@exchange(
    "guest-claim",
    "A guest signs in",
    "claim/token",
    "claim/adds-lines",
    "claim/limits",
    "claim/lines-reported",
    "claim/guest-closed",
    "claim/guest-replays",
    "claim/idempotent",
    profile="guest_claim",
)
async def guest_claim(play: Play) -> None:
    """The guest has two operations decided, and of the second the answer was lost; a third was never sent. The account,
    with a cart of its own, claims. Quantities add up, cut down to the stock. The guest's credential still gets the lost
    answer, and nothing new: the third operation is rejected there, and is enqueued anew in the account's queue. A
    second claim adds nothing."""
    await play.offer(TEA, 425)
    await play.offer(MUG, 799, 3)
    guest, account = play.device("guest-7"), play.device("ann")
    first, second, third = guest.add(TEA, 1), guest.add(MUG, 2, 799), guest.add(TEA, 5)
    await guest.submit(first)
    await guest.submit(second, note="This answer is lost on its way.")
    token = (await issue_token(guest)).claim_token
    await account.submit(account.add(MUG, 2, 799))
    await account.submit(claim(account, token))
    await guest.submit(second, third)
    await guest.cart()
    await account.submit(account.add(TEA, 5), note="What the guest's queue showed undecided, under a key of its own.")
    await account.submit(claim(account, token))
    await account.cart()


@exchange(
    "guest-claim-refused",
    "Claims that are refused",
    "claim/token",
    "claim/token-checked",
    "claim/other-account",
    profile="guest_claim",
)
async def guest_claim_refused(play: Play) -> None:
    """An account has no claim token to give. A token that nobody was given, and a guest that another account has
    claimed, are rejected, whatever the claim says."""
    await play.offer(TEA, 425)
    guest, ann, bob = play.device("guest-7"), play.device("ann"), play.device("bob")
    await issue_token(ann)
    await guest.submit(guest.add(TEA, 1))
    token = (await issue_token(guest)).claim_token
    await ann.submit(claim(ann, "made-up"), claim(ann, token))
    await bob.submit(claim(bob, token))
