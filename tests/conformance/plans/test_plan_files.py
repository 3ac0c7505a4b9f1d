"""Plans are written to files and read back as they were; what is no plan is refused with the place and the problem."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_server import EVERYTHING

from conformance.plans import steps
from conformance.plans.files import PlanFormatError, from_json, to_json
from conformance.plans.steps import STEPS, Plan, Product
from conformance.plans.strategies import FAMILIES, plans

PLAN = Plan(
    (Product("sku-1", 100, available=3),),
    (
        steps.Enqueue("A", steps.Kind.ADD, "cart-1", "sku-1", 2),
        steps.Race(steps.Send("A"), steps.Send("A", fate=steps.Fate.CUT)),
        steps.RateLimit(None),
        steps.Restart(),
    ),
)


@settings(max_examples=100, deadline=None)
@given(st.one_of([plans(family, EVERYTHING) for family in FAMILIES]))
def test_every_plan_comes_back_as_it_was(plan: Plan) -> None:
    assert from_json(json.loads(json.dumps(to_json(plan)))) == plan


def test_every_kind_of_step_has_a_name_of_its_own() -> None:
    document = to_json(PLAN)
    assert [entry["step"] for entry in document["steps"]] == ["enqueue", "race", "rate_limit", "restart"]
    assert len({kind.__name__ for kind in STEPS}) == len(STEPS)


def test_a_file_from_another_version_is_refused() -> None:
    with pytest.raises(PlanFormatError, match="version 2"):
        from_json(to_json(PLAN) | {"version": 2})


@pytest.mark.parametrize("document", [None, [], "plan", {}, {"format": "cartsync-failure/1"}])
def test_what_is_no_plan_is_refused(document: object) -> None:
    with pytest.raises(PlanFormatError, match="not a plan"):
        from_json(document)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"step": "dance"}, r"steps\[0\] is a 'dance'"),
        ({"step": "send"}, r"steps\[0\] lacks a field"),
        ({"step": "send", "device": 7}, r"steps\[0\]\.device is 7"),
        ({"step": "send", "device": "A", "first": True}, r"steps\[0\]\.first is True"),
        ({"step": "send", "device": "A", "fate": "eaten"}, r"steps\[0\]\.fate is 'eaten'"),
        ({"step": "send", "device": "A", "colour": "red"}, "unknown fields: colour"),
        ({"step": "race", "left": {"device": "A"}, "right": 3}, r"steps\[0\]\.right is no object"),
        ("send", r"steps\[0\] is no step"),
    ],
)
def test_a_step_that_cannot_be_read_is_named_with_its_problem(entry: object, problem: str) -> None:
    with pytest.raises(PlanFormatError, match=problem):
        from_json(to_json(PLAN) | {"steps": [entry]})
