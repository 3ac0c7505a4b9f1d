"""What a failed call means: the error table of `cartsync/v1/service.proto` as code."""

from __future__ import annotations

from dataclasses import dataclass

from reference_client.machine.values import CallFailure, StopReason


@dataclass(frozen=True, slots=True)
class Again:
    """Everything it carried is in doubt; send the same again, not before so many seconds."""

    floor_seconds: float
    smaller: bool = False
    """The message was larger than the server accepts: send fewer operations at a time."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Trying again does not help until somebody acts. Nothing was consumed."""

    reason: StopReason
    message: str


@dataclass(frozen=True, slots=True)
class StoreIsAnother:
    """The server's store has another history now. `store_id` names it; empty when the server did not say."""

    store_id: str


Meaning = Again | GiveUp | StoreIsAnother


def meaning_of(failure: CallFailure) -> Meaning:
    """What the client does next after a call that failed so."""
    said = f": {failure.message.removesuffix('.')}" if failure.message else ""
    match (failure.code, failure.reason):
        case ("UNAUTHENTICATED" | "PERMISSION_DENIED", _):
            message = f"the server does not accept the credential{said}. Sign in again; all intents are safe"
            return GiveUp(StopReason.UNAUTHENTICATED, message)
        case ("FAILED_PRECONDITION", "STORE_CHANGED"):
            return StoreIsAnother(failure.store_id)
        case ("FAILED_PRECONDITION", "PRINCIPAL_MISMATCH"):
            message = (
                "the credential belongs to another account than this queue. Sign in as the account the "
                "queue belongs to, or use another data directory for this one"
            )
            return GiveUp(StopReason.PRINCIPAL_MISMATCH, message)
        case ("FAILED_PRECONDITION", _):
            return GiveUp(StopReason.REFUSED, f"the server refuses ({failure.reason or 'no reason'}){said}")
        case ("INVALID_ARGUMENT", _):
            where = f" at {failure.field}" if failure.field else ""
            message = f"the server calls the request malformed{where}{said}. This is a bug of the client"
            return GiveUp(StopReason.REQUEST_INVALID, message)
        case ("UNIMPLEMENTED", _):
            return GiveUp(StopReason.INCOMPATIBLE, f"the server does not offer Cartsync here{said}")
        case ("ABORTED", "STREAM_SUPERSEDED"):
            message = "another client drains a copy of this queue at this moment, and was left to it"
            return GiveUp(StopReason.SUPERSEDED, message)
        case ("RESOURCE_EXHAUSTED", _):
            # With a delay it is about too many calls at a time, without one about too large a message.
            return Again(failure.retry_seconds, smaller=failure.retry_seconds <= 0)
        case _:
            return Again(failure.retry_seconds)
