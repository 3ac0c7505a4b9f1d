"""A campaign is split so that every scripted check runs on exactly one machine."""

from __future__ import annotations

import pytest

from conformance.exceptions import UsageError
from conformance.run.shards import Shard


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_every_check_is_taken_by_exactly_one_shard(count: int) -> None:
    shards = [Shard.parsed(f"{index}/{count}") for index in range(1, count + 1)]
    for number in range(50):
        assert sum(shard.takes(number) for shard in shards) == 1


@pytest.mark.parametrize("text", ["0/2", "3/2", "2", "a/b", "1/0", "-1/2", "1/5000", " 1/2", "1/2/3"])
def test_what_is_no_part_of_a_whole_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"--shard .* for example --shard 2/8"):
        Shard.parsed(text)
