"""What can go wrong in a run, in the order of its life; each says who is at fault and what to do.

| exception               | who is at fault        | exit code |
|-------------------------|------------------------|-----------|
| UsageError              | whoever typed the call | 2 |
| TargetUnreachableError  | the environment        | 3 |
| NotTestableError        | nobody: not offered    | 5, when nothing worse happened |
| ViolationError          | the server under test  | 1 |
| anything else           | the suite              | 4 |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class UsageError(Exception):
    """The call cannot mean anything: an unknown profile, a file that is no failure file."""


class TargetUnreachableError(Exception):
    """The server under test cannot be reached, is not healthy, or stopped answering. Says what to look at."""


class NotTestableError(Exception):
    """This cannot be tested against this target, for the reason given; never counts as passed."""


class ViolationError(Exception):
    """The server under test broke a requirement.

    `slug` names the requirement; None means the first one that the running check is marked with. `summary` is
    one plain sentence on what the server did. For failures of fuzzing, `plan` is the shrunk plan in JSON form, and
    `worlds` what a correct server might have recorded by then.
    """

    def __init__(
        self,
        slug: str | None,
        summary: str,
        *,
        expected: str = "",
        observed: str = "",
        plan: Mapping[str, Any] | None = None,
        worlds: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{slug or 'requirement of the check'}: {summary}")
        self.slug = slug
        self.summary = summary
        self.expected = expected
        self.observed = observed
        self.plan = plan
        self.worlds = worlds
