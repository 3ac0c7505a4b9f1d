"""Spec 2.5: the policy."""

from __future__ import annotations

from datetime import timedelta

from cartsync.v1 import policy_pb2

from conformance.run import Run
from conformance.suite.marks import requirement
from conformance.wire.story import Story

DURATIONS = ("replay_window", "outcome_retention", "queue_retention", "catalog_staleness")
FLOORS = {
    "max_operation_bytes": 16_384,
    "max_submission_operation_count": 100,
    "max_submission_bytes": 1_048_576,
    "max_line_quantity": 99,
    "max_line_count": 100,
}
MOST_LINES = 5_000


@requirement("policy/complete")
def test_the_policy_tells_the_whole_contract(story: Story) -> None:
    """Reads GetSyncPolicy: every field that may not be empty is set, key scope QUEUE, replay VERBATIM."""
    answer = story.contract()
    story.expect(answer.HasField("policy"), "GetSyncPolicy answers without a policy", observed=answer)
    policy = answer.policy
    story.expect(
        policy.key_scope == policy_pb2.KEY_SCOPE_QUEUE,
        "the policy has another key scope than QUEUE",
        expected="KEY_SCOPE_QUEUE",
        observed=policy.key_scope,
    )
    story.expect(
        policy.replay_behavior == policy_pb2.REPLAY_BEHAVIOR_VERBATIM,
        "the policy has another replay behaviour than VERBATIM",
        expected="REPLAY_BEHAVIOR_VERBATIM",
        observed=policy.replay_behavior,
    )
    present = {field.name for field, _ in policy.ListFields()}
    unset = [name for name in DURATIONS if name not in present]
    unset += [name for name in (*FLOORS, "quarantine_attempt_count", "profiles") if name not in present]
    story.expect(not unset, "the policy leaves fields unset", expected="all set", observed=unset)
    story.expect(
        policy.catalog_staleness.ToTimedelta() >= timedelta(0),
        "the policy's catalog_staleness is negative",
        observed=policy.catalog_staleness,
    )


@requirement("policy/retention-floors")
def test_the_policy_keeps_the_retention_floors(story: Story) -> None:
    """Reads the durations: window 72 h, outcomes the window and 24 h, queues 400 days, or more."""
    policy = story.policy
    window = policy.replay_window.ToTimedelta()
    for name, value, floor in (
        ("replay_window", window, timedelta(hours=72)),
        ("outcome_retention", policy.outcome_retention.ToTimedelta(), window + timedelta(hours=24)),
        ("queue_retention", policy.queue_retention.ToTimedelta(), timedelta(days=400)),
    ):
        story.expect(value >= floor, f"the policy's {name} is {value}", expected=f"{floor} or more", observed=value)


@requirement("policy/limit-floors")
def test_the_policy_keeps_the_floors_of_the_limits(story: Story) -> None:
    """Reads the limits: none below its floor, and quarantine after 1 to 100 attempts."""
    policy = story.policy
    for name, floor in FLOORS.items():
        value = getattr(policy, name)
        story.expect(value >= floor, f"the policy's {name} is {value}", expected=f"{floor} or more", observed=value)
    story.expect(
        policy.max_line_count <= MOST_LINES,
        f"the policy's max_line_count is {policy.max_line_count}",
        expected=f"{MOST_LINES} or fewer",
        observed=policy.max_line_count,
    )
    story.expect(
        1 <= policy.quarantine_attempt_count <= 100,
        f"the policy quarantines after {policy.quarantine_attempt_count} attempts",
        expected="1 to 100",
        observed=policy.quarantine_attempt_count,
    )


@requirement("policy/profiles")
def test_the_policy_lists_the_profiles_it_is_to_be_certified_for(story: Story, cartsync_run: Run) -> None:
    """Reads the profiles: core, and every other one that this run certifies, ascending."""
    listed = list(story.policy.profiles)
    for profile in ("core", *cartsync_run.settings.profiles):
        story.expect(profile in listed, f"the policy does not list {profile}", expected=profile, observed=listed)
    story.expect(listed == sorted(set(listed)), "the policy's profiles do not ascend", observed=listed)
