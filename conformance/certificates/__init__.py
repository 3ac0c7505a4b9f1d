"""Certificates: a report that certifies a server, signed so that nobody can edit it unseen.

`envelope` is the DSSE form that is signed and its one way to be written as bytes; `keys` makes, reads and names Ed25519
keys; `soundness` says whether a report's verdict follows from its own parts; `certify` and `verify` put the three
together and are pure: bytes, keys and the time of day come in, an answer goes out. Files and words for the terminal are
in `conformance.cli.certifying`.
"""

from conformance.certificates.certify import RefusedError, certify
from conformance.certificates.verify import Certificate, Demands, NotGoodError, verify

__all__ = ["Certificate", "Demands", "NotGoodError", "RefusedError", "certify", "verify"]
