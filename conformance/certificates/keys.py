"""Ed25519 keys: made, written as PEM, read back, and named by a fingerprint. No file is touched here.

The work is that of the library `cryptography`; here are only its errors in words that name the way out. No message
holds any part of a private key or of a passphrase.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PASSPHRASE_VARIABLE = "CARTSYNC_SIGN_PASSPHRASE"  # noqa: S105 - the name of a variable, no passphrase


class KeyFormatError(ValueError):
    """This is no key of the kind that is needed; the message says what it is and what to give."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The half of a key pair that checks signatures, and that anybody may know."""

    _key: Ed25519PublicKey = field(repr=False)

    @property
    def key_id(self) -> str:
        """SHA-256 of its SubjectPublicKeyInfo (DER), 64 lower-case hexadecimal digits."""
        return hashlib.sha256(
            self._key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        ).hexdigest()

    def pem(self) -> bytes:
        """The key as text (SubjectPublicKeyInfo, PEM)."""
        return self._key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def has_signed(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature` over `message` was made with the other half."""
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """The half of a key pair that signs, and that nobody else may know."""

    _key: Ed25519PrivateKey = field(repr=False)

    @property
    def public(self) -> PublicKey:
        """The other half."""
        return PublicKey(self._key.public_key())

    def sign(self, message: bytes) -> bytes:
        """The signature over `message`, 64 bytes."""
        return self._key.sign(message)

    def pem(self, passphrase: str = "") -> bytes:
        """The key as text (PKCS #8, PEM), encrypted when there is a passphrase."""
        locked: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if passphrase:
            locked = serialization.BestAvailableEncryption(passphrase.encode())
        return self._key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)


def new_private_key() -> PrivateKey:
    """A new key pair, from the randomness of the operating system."""
    return PrivateKey(Ed25519PrivateKey.generate())


def private_key_of(pem: bytes, passphrase: str = "") -> PrivateKey:
    """Read a private key; raises KeyFormatError."""
    try:
        key = serialization.load_pem_private_key(pem, passphrase.encode() or None)
    except TypeError as error:
        if passphrase:
            raise KeyFormatError(f"it has no passphrase: unset {PASSPHRASE_VARIABLE}") from error
        raise KeyFormatError(f"it has a passphrase: put it into {PASSPHRASE_VARIABLE}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        if passphrase and b"ENCRYPTED" in pem:
            raise KeyFormatError(f"the passphrase in {PASSPHRASE_VARIABLE} does not open it") from error
        raise KeyFormatError(f"it is no private key in PEM; {_MAKE_ONE}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFormatError(f"it is a private key, but not of Ed25519; {_MAKE_ONE}")
    return PrivateKey(key)


def public_key_of(pem: bytes) -> PublicKey:
    """Read a public key; raises KeyFormatError."""
    if b"PRIVATE KEY" in pem:
        raise KeyFormatError("it is a private key, which only certifying needs: give its public half (the .pub file)")
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFormatError(f"it is no public key in PEM; {_ASK}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise KeyFormatError(f"it is a public key, but not of Ed25519; {_ASK}")
    return PublicKey(key)


_MAKE_ONE = "make one with `cartsync-conformance keygen`"
_ASK = "ask whoever signed for the .pub file that `keygen` wrote"
