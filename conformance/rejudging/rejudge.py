"""Puts the plans of a history before the judge of this suite. No server is asked for anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from conformance.oracle import Refutation, TooManyWorldsError
from conformance.oracle.judging import Judge
from conformance.rejudging.encoding import EncodingError
from conformance.rejudging.telling import judge_again


@dataclass(frozen=True, slots=True)
class Rejudged:
    """What today's judge says of one plan, beside what was said when it was played."""

    number: int  # of the plan in its history, from 1
    check: str
    requirement: str = ""  # what is violated; empty when nothing is
    summary: str = ""
    expected: str = ""
    observed: str = ""
    before: str = ""  # what was said to be violated then
    undecided: bool = False  # too much is unknown to judge
    not_again: str = ""  # why it was not judged again

    @property
    def is_new(self) -> bool:
        """Whether it was found only now."""
        return bool(self.requirement) and not self.before


def rejudged(plans: Iterable[Mapping[str, Any]], judge_kind: type[Judge] = Judge) -> Iterator[Rejudged]:
    """Judge each plan of a history again."""
    for number, entry in enumerate(plans, start=1):
        yield _judged(number, entry, judge_kind)


def _judged(number: int, entry: Mapping[str, Any], judge_kind: type[Judge]) -> Rejudged:
    check = str(entry.get("check", ""))
    verdict = entry.get("verdict")
    before = str(verdict.get("requirement", "")) if isinstance(verdict, Mapping) else ""
    if entry.get("lossy"):
        return Rejudged(number, check, before=before, not_again="a card number was taken out of it")
    try:
        judge_again(entry.get("limits"), entry.get("told"), judge_kind)
    except Refutation as found:
        return Rejudged(number, check, found.slug, found.summary, found.expected, found.observed, before)
    except TooManyWorldsError:
        return Rejudged(number, check, before=before, undecided=True)
    except EncodingError as error:
        return Rejudged(number, check, before=before, not_again=str(error))
    if isinstance(verdict, Mapping) and verdict.get("by") == "player":
        # The call itself was refused, which no judge is told: what was seen then is still so.
        told = {name: str(verdict.get(name, "")) for name in ("summary", "expected", "observed")}
        return Rejudged(number, check, before, told["summary"], told["expected"], told["observed"], before)
    return Rejudged(number, check, before=before, undecided=bool(entry.get("undecided")))
