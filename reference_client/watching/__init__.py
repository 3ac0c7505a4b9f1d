"""A cart as it changes, whoever changes it."""

from reference_client.watching.following import CartFollower, Ended, Remark

__all__ = ["CartFollower", "Ended", "Remark"]
"""`CartFollower(client).follow()` yields views of the cart until it has `Ended`, with a `Remark` now and then."""
