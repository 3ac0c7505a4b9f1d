"""The executable specification: what a correct server may answer, and whether one did.

Pure: no gRPC, no clock, no server. `values` are the words, `deciding` and `cart_rules` the chapters as code, `world`
one possible state, `worlds` the set of all that are possible, `judging` the judge, `translation` the edge to
protobuf.
"""

from conformance.oracle.judging import Judge, Refutation
from conformance.oracle.worlds import TooManyWorldsError

__all__ = ["Judge", "Refutation", "TooManyWorldsError"]
