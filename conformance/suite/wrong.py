"""Submissions that break one rule at a time: bugs of a client, which end the call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cartsync.v1 import operation_pb2, service_pb2

from conformance.suite.edits import discarding, edited
from conformance.wire.device import Device, attempts_of


@dataclass(frozen=True, slots=True)
class WrongSubmission:
    """Attempts with one thing wrong. Where there is room, a right operation stands before the wrong one."""

    name: str  # in words
    slug: str  # the requirement by which it is refused
    field: str  # path of the wrong field from the unary request
    attempts: Sequence[operation_pb2.OperationAttempt]

    def request(self, device: Device) -> service_pb2.SubmitOperationsRequest:
        """The unary request that carries the attempts."""
        return request_of(device, self.attempts)


def request_of(
    device: Device, attempts: Sequence[operation_pb2.OperationAttempt]
) -> service_pb2.SubmitOperationsRequest:
    """A unary request of the device with any attempts."""
    request = device.request()
    request.attempts.extend(attempts)
    return request


def wrong_submissions(device: Device, sku: str) -> list[WrongSubmission]:
    """One submission for each rule, for a device without operations. Enqueues two adds, which stay undecided."""
    first, second = device.add(sku), device.add(sku)
    discard = edited(device.discard_of(second), previous_key=first.idempotency_key)
    upper = device.new_key()[:-1] + "A"
    right = attempts_of([first])

    def wrong(name: str, slug: str, field: str, operation: operation_pb2.CartOperation) -> WrongSubmission:
        return WrongSubmission(
            f"a submission whose second operation {name}",
            f"submission/{slug}",
            f"attempts[1].operation.{field}",
            [*right, *attempts_of([operation])],
        )

    def wrong_first(name: str, slug: str, field: str, operation: operation_pb2.CartOperation) -> WrongSubmission:
        return WrongSubmission(
            f"a submission whose first operation {name}",
            f"submission/{slug}",
            f"attempts[0].operation.{field}",
            attempts_of([operation]),
        )

    return [
        wrong("has an upper-case key", "canonical-keys", "idempotency_key", edited(second, idempotency_key=upper)),
        wrong("has an upper-case previous key", "canonical-keys", "previous_key", edited(second, previous_key=upper)),
        wrong("discards an upper-case key", "canonical-keys", "discard.discarded_key", discarding(discard, upper)),
        wrong("skips a sequence", "consecutive", "sequence", edited(second, sequence=3)),
        wrong("repeats a sequence", "consecutive", "sequence", edited(second, sequence=1, previous_key="")),
        wrong_first("has sequence 0", "consecutive", "sequence", edited(first, sequence=0)),
        wrong("has no previous key", "first-link", "previous_key", edited(second, previous_key="")),
        wrong_first("has a previous key", "first-link", "previous_key", edited(first, previous_key=device.new_key())),
        wrong(
            "discards its own key",
            "discard-own-key",
            "discard.discarded_key",
            discarding(discard, discard.idempotency_key),
        ),
        WrongSubmission("a submission without attempts", "submission/nonempty", "attempts", []),
        WrongSubmission(
            "a submission whose second attempt has no operation",
            "submission/nonempty",
            "attempts[1].operation",
            [*right, operation_pb2.OperationAttempt()],
        ),
    ]


def near_canonical(key: str) -> dict[str, str]:
    """Spellings that lenient UUID parsers take for the key, and some that only lax ones let through, by name."""
    lettered = key[:-1] + "b"
    return {
        "in upper case": lettered.upper(),
        "with one upper-case letter": lettered[:-1] + "B",
        "without hyphens": key.replace("-", ""),
        "with its hyphens elsewhere": key[:7] + "-" + key[7] + key[9:],
        "in braces": "{" + key + "}",
        "as a URN": f"urn:uuid:{key}",
        "behind a space": f" {key}",
        "before a line end": f"{key}\n",
        "one digit short": key[:-1],
        "one digit long": f"{key}0",
        "with a letter beyond f": f"{key[:-1]}g",
        "with a full-width digit": f"{key[:-1]}\N{FULLWIDTH DIGIT ONE}",
        "that is a word": "tea",
    }
