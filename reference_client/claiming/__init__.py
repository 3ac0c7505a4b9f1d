"""Taking a guest's cart over into an account, and with it what the guest had not settled yet."""

from reference_client.claiming.claim import ClaimReport, ClaimStatus, GuestClaim

__all__ = ["ClaimReport", "ClaimStatus", "GuestClaim"]
