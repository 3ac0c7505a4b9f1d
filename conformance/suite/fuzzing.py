"""Fuzzing as a check: a campaign of one family against the run's target, or the one plan that is replayed."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

from hypothesis.configuration import set_hypothesis_home_dir

from conformance.exceptions import NotTestableError, ViolationError
from conformance.explaining.possible_worlds import worlds_as_json
from conformance.oracle import Refutation, TooManyWorldsError
from conformance.plans.campaign import Limit, Played, Search
from conformance.plans.execute import Play
from conformance.plans.family import Family
from conformance.plans.files import from_json, to_json
from conformance.plans.live import LiveStage, means_of
from conformance.plans.shrinking import Failure
from conformance.plans.stage import Means
from conformance.plans.steps import Plan
from conformance.rejudging.telling import RecordingJudge
from conformance.run import Run
from conformance.wire import Story

ONE_PLAN_SECONDS = 30.0  # within which one plan is begun, however little time the budget has
REPLAYS = 3  # a failure that does not show again in so many replays is reported as seen once


def fuzz(run: Run, family: Family, *, share: float = 1.0) -> None:
    """Play plans of `family`, or the plan the run replays; raises ViolationError with the smallest that fails.

    `share` is the part of the budget's seconds that this family gets.
    """
    player = run.kept(family.name, lambda: _Player(run, family, _means(run, family)))
    replayed = run.settings.plan
    if replayed is not None:
        plan = from_json(replayed)
        for _ in range(run.settings.play_count):
            if refutation := player(plan):
                raise player.violation(Failure(plan, refutation))
        return
    if not family.possible(player.means):
        missing = ", ".join(sorted(family.needs - player.means))
        raise NotTestableError(f"plans of the family {family.name} need what the target does not offer: {missing}")
    _keep_hypothesis_out_of_here()
    budget = run.settings.budget
    failure = player.search.go_on(
        Limit(budget.plan_count, run.turn_seconds(budget.seconds * share), budget.shrink_seconds)
    )
    run.turn_took(player.search.new_count)
    if failure is None and not player.played_count:  # a slow machine took all of the time to draw the first
        failure = player.search.go_on(Limit(1, ONE_PLAN_SECONDS, budget.shrink_seconds))
    if failure is not None:
        raise player.violation(player.confirmed(failure))
    if not player.judged_count:
        raise NotTestableError(f"none of {player.played_count} plans of the family {family.name} could be judged")


def _means(run: Run, family: Family) -> frozenset[Means]:
    """What can be done to the run's target."""
    probe = run.story(f"fuzz-{family.name}", run.rng("fuzz", family.name))
    probe.needs_unmade_cart()
    means = means_of(probe)
    run.end_story(probe)
    return means


class _Player:
    """Plays plans, each in a story of its own. The story of the last failure stays open: it is the evidence.

    It is kept while the check has turns, with its search and all that this has reached.
    """

    def __init__(self, run: Run, family: Family, means: frozenset[Means]) -> None:
        self._run = run
        self._name = f"fuzz-{family.name}"
        self.means = means
        parts = ("fuzz", family.name, *([run.settings.shard] if run.settings.shard else []))
        self.search = Search(family, means, run.rng(*parts).getrandbits(64), self.explored)
        self.played_count = 0
        self.judged_count = 0  # plans played to the end without too much being unknown
        self._evidence: Story | None = None
        self._worlds: dict[str, Any] | None = None  # what was still possible at the last failure

    def __call__(self, plan: Plan) -> Refutation | None:
        """Play one plan."""
        return self.explored(plan).refutation

    def explored(self, plan: Plan) -> Played:
        """Play one plan, and tell what it reached."""
        story = self._run.story(self._name, self._run.rng(self._name, repr(plan)))
        play = Play(plan, LiveStage(story, self.means), RecordingJudge)
        refutation, undecided = None, False
        try:
            play.run()
            self.judged_count += 1
        except Refutation as found:
            refutation = found
            self._worlds = worlds_as_json(play.judge.worlds)
        except TooManyWorldsError:
            undecided = True  # too much is unknown to judge this one
        finally:
            story.operation_count = play.judge.judged_count
        self.played_count += 1
        self._run.plan_executed(self.played_count)
        self._run.plan_played(plan, play)
        self._run.plan_told(plan, play.judge, refutation, undecided=undecided)
        self._keep_or_end(story, failed=refutation is not None)
        return Played(refutation, play.lookout.triples)

    def _keep_or_end(self, story: Story, *, failed: bool) -> None:
        if not failed:
            self._run.end_story(story)
            return
        if self._evidence is not None:
            self._run.end_story(self._evidence)
        self._evidence = story

    def confirmed(self, failure: Failure) -> Failure:
        """The failure as it shows in a replay; said to be seen once where it does not show again."""
        for _ in range(REPLAYS):
            if refutation := self(failure.plan):
                return Failure(failure.plan, refutation)
        seen = failure.refutation
        summary = f"{seen.summary} (seen once, not again in {REPLAYS} replays)"
        return Failure(failure.plan, Refutation(seen.slug, summary, seen.expected, seen.observed))

    def violation(self, failure: Failure) -> ViolationError:
        """The failure in the terms of the suite."""
        seen = failure.refutation
        return ViolationError(
            seen.slug,
            seen.summary,
            expected=seen.expected,
            observed=seen.observed,
            plan=to_json(failure.plan),
            worlds=self._worlds,
        )


@functools.cache
def _keep_hypothesis_out_of_here() -> None:
    """Let Hypothesis keep what it remembers in a folder of its own, not in whatever folder a run was started from."""
    set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "cartsync-conformance-hypothesis")
