"""Operations made to measure: padding reaches every size, those at which a length prefix grows included."""

from __future__ import annotations

import pytest
from cartsync.v1 import operation_pb2

from conformance.suite.edits import padded


@pytest.fixture
def operation() -> operation_pb2.CartOperation:
    operation = operation_pb2.CartOperation(idempotency_key="a" * 36, sequence=7, previous_key="b" * 36)
    operation.add_item.sku = "tea"
    return operation


@pytest.mark.parametrize("sizes", [range(110, 500), range(16_384, 16_700)], ids=["small", "large"])
def test_an_operation_can_be_padded_to_every_size(operation: operation_pb2.CartOperation, sizes: range) -> None:
    before = operation.SerializeToString()
    for size in sizes:
        longer = padded(operation, size)
        assert longer.ByteSize() == size
        assert longer.add_item == operation.add_item
    assert operation.SerializeToString() == before


def test_an_operation_is_never_cut_to_size(operation: operation_pb2.CartOperation) -> None:
    with pytest.raises(ValueError, match="cannot be made 20 bytes long"):
        padded(operation, 20)
