"""What a self-test comes to, told from plain results."""

from __future__ import annotations

import json

from conformance.mutants.matrix import Matrix
from conformance.mutants.trial import MutantResult, ReferenceResult, ReplayResult

CAUGHT = MutantResult(
    "accepts-a-gap",
    1.5,
    named=("answers/watermark", "deciding/gap-deferred"),
    caught_as="deciding/gap-deferred",
    check_id="test_order.py::test_a_gap",
    failure_file="failures/001.json",
)
MISSED = MutantResult("add-sets", 2.0, named=("cart/set-sets",))
BROKEN = MutantResult("set-adds", 2.0, trouble="the suite itself failed")
CERTIFIED = ReferenceResult(7, 20.0, 0, "Certified for core.")
ACCUSED = ReferenceResult(8, 20.0, 1, "Not certified.", ("cart/add-adds",))


def matrix(*results: MutantResult | ReferenceResult | ReplayResult) -> Matrix:
    return Matrix(
        [result for result in results if isinstance(result, MutantResult)],
        [result for result in results if isinstance(result, ReferenceResult)],
        [result for result in results if isinstance(result, ReplayResult)],
        seed=7,
        budget="fast",
        seconds=60.0,
    )


def test_all_caught_and_nobody_accused_is_success() -> None:
    assert matrix(CAUGHT, CERTIFIED).exit_code == 0


def test_a_violation_that_names_something_else_does_not_count() -> None:
    assert matrix(CAUGHT, MISSED, CERTIFIED).exit_code == 1
    assert "Not caught: add-sets." in matrix(CAUGHT, MISSED).sentences()


def test_a_verdict_against_the_reference_server_is_failure() -> None:
    assert matrix(CAUGHT, ACCUSED).exit_code == 1


def test_a_partial_run_against_the_reference_server_is_failure() -> None:
    assert matrix(CAUGHT, ReferenceResult(7, 20.0, 5, "Partial.")).exit_code == 1


def test_a_suite_that_breaks_down_proves_nothing() -> None:
    assert matrix(CAUGHT, BROKEN).exit_code == 4
    assert matrix(CAUGHT, ReferenceResult(7, 1.0, 4, "the suite itself failed")).exit_code == 4


def test_replays_must_reproduce_every_time_and_pass_on_the_reference_server() -> None:
    assert matrix(CAUGHT, ReplayResult("accepts-a-gap", 9.0, 10, 10, True)).exit_code == 0
    assert matrix(CAUGHT, ReplayResult("accepts-a-gap", 9.0, 10, 9, True)).exit_code == 1
    assert matrix(CAUGHT, ReplayResult("accepts-a-gap", 9.0, 10, 10, False)).exit_code == 1


def test_the_page_has_a_row_for_each_mutant_with_what_it_does_and_what_named_it_first() -> None:
    page = matrix(CAUGHT, MISSED, CERTIFIED).markdown()
    row = next(line for line in page.splitlines() if line.startswith("| accepts-a-gap |"))
    assert "Decides an operation although the ones before it never came." in row
    assert "| deciding/gap-deferred | test_order.py::test_a_gap | answers/watermark | 1.5 |" in row
    assert "| add-sets |" in page
    assert "**not caught**, breaks cart/add-adds" in page
    assert "| 7 | Certified for core. | 20.0 |" in page


def test_the_json_form_says_the_same_to_programs() -> None:
    content = json.loads(matrix(CAUGHT, MISSED, ACCUSED).json())
    assert content["exit_code"] == 1
    assert [(mutant["name"], mutant["caught"]) for mutant in content["mutants"]] == [
        ("accepts-a-gap", True),
        ("add-sets", False),
    ]
    assert content["mutants"][0]["breaks"][0] == "deciding/gap-deferred"
    assert content["references"][0]["named"] == ["cart/add-adds"]
