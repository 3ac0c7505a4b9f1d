"""The DSSE envelope (https://github.com/secure-systems-lab/dsse) of a certificate, and its one form as bytes.

What is signed is `pre_authentication(payload)`: type and payload with their lengths, so that neither can be taken for
the other. JSON and base64 leave freedoms that a signature does not cover (blanks, order, bits that no decoder reads),
so an envelope is read only in the form that `to_bytes` writes: a changed byte anywhere is seen.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

PAYLOAD_TYPE = "application/vnd.cartsync.report+json"


class EnvelopeFormatError(ValueError):
    """The bytes are no certificate, or were edited; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload and one signature over it."""

    payload: bytes  # the exact bytes of report.json
    key_id: str  # which key signed: SHA-256 of its public half, lower-case hexadecimal
    signature: bytes  # over `pre_authentication(payload)`


def pre_authentication(payload: bytes) -> bytes:
    """The bytes that are signed for a payload of PAYLOAD_TYPE."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def to_bytes(envelope: Envelope) -> bytes:
    """The envelope as the JSON text of a certificate, one line feed at the end."""
    content = {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(envelope.payload).decode(),
        "signatures": [{"keyid": envelope.key_id, "sig": base64.b64encode(envelope.signature).decode()}],
    }
    return json.dumps(content, indent=2).encode() + b"\n"


def from_bytes(text: bytes) -> Envelope:
    """Read what `to_bytes` wrote; raises EnvelopeFormatError for everything else."""
    try:
        content = json.loads(text.decode("ascii"))
        kind, payload, signatures = content["payloadType"], content["payload"], content["signatures"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise EnvelopeFormatError(
            "it is no certificate: not a DSSE envelope in JSON; give the file that `certify` wrote"
        ) from error
    if kind != PAYLOAD_TYPE:
        raise EnvelopeFormatError(
            f"it is no certificate: its payloadType is not {PAYLOAD_TYPE}; give the file that `certify` wrote"
        )
    try:
        (signed,) = signatures
        envelope = Envelope(_decoded(payload), _text(signed["keyid"]), _decoded(signed["sig"]))
    except (ValueError, KeyError, TypeError) as error:
        raise EnvelopeFormatError(
            "it was edited, or cut short: a certificate has one payload and one signature in base64"
        ) from error
    if to_bytes(envelope) != text:
        raise EnvelopeFormatError("it was edited: its bytes are not those that `certify` writes")
    return envelope


def _decoded(text: object) -> bytes:
    try:
        return base64.b64decode(_text(text), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value
