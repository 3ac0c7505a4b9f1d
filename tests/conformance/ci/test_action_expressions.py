"""The expressions of the action mean here what they mean to a runner."""

from __future__ import annotations

import pytest

from tools.action_check.commands import file_values
from tools.action_check.expressions import ExpressionError, Expressions

CONTEXTS = {"inputs": {"artifact": "kept", "empty": ""}, "steps": {"suite": {"outputs": {"exit-code": "5"}}}}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("inputs.artifact", "kept"),
        ("inputs.missing", ""),
        ("steps.suite.outputs.exit-code", "5"),
        ("steps.never.outputs.exit-code", ""),
        ("'it''s'", "it's"),
        ("inputs.artifact == 'KEPT'", True),
        ("inputs.artifact != 'kept'", False),
        ("inputs.empty || 'other'", "other"),
        ("inputs.empty && 'other'", ""),
        ("!inputs.empty", True),
        ("!(true && false) || false", True),
        ("!cancelled() && inputs.artifact != ''", True),
    ],
)
def test_an_expression_has_a_value(expression: str, value: str | bool) -> None:
    assert Expressions(CONTEXTS).value(expression) == value


def test_placeholders_are_filled_in() -> None:
    text = Expressions(CONTEXTS).filled_in("${{ inputs.artifact }}-${{ true }} ${{inputs.empty}}!")
    assert text == "kept-true !"


@pytest.mark.parametrize(
    ("condition", "after_success", "after_failure"),
    [
        ("", True, False),
        ("inputs.artifact == 'kept'", True, False),
        ("${{ always() }}", True, True),
        ("${{ !cancelled() && inputs.artifact != '' }}", True, True),
        ("failure()", False, True),
        ("success()", True, False),
    ],
)
def test_a_step_runs_after_success_unless_its_condition_asks_for_the_status(
    condition: str, after_success: bool, after_failure: bool
) -> None:
    assert Expressions(CONTEXTS).condition(condition) == after_success
    assert Expressions(CONTEXTS, failed=True).condition(condition) == after_failure


@pytest.mark.parametrize("text", ["secrets.x", "hashFiles('a')", "inputs.a ==", "(true", "true true", "a > 1", "''x"])
def test_what_is_not_known_here_is_an_error(text: str) -> None:
    with pytest.raises(ExpressionError):
        Expressions(CONTEXTS).value(text)


@pytest.mark.parametrize("text", ["name", "a<<END\nvalue"])
def test_a_file_of_outputs_that_cannot_be_read_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"no NAME=VALUE|not closed"):
        file_values(text)
