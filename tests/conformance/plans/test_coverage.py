"""Coverage says which requirement was judged, in what state, under which fault."""

from __future__ import annotations

from collections import Counter

from toy_server import ToyStage

from conformance.plans import steps
from conformance.plans.coverage import FAULTS, NO_FAULT, STATE_WORDS, Coverage, Triple, fault_of
from conformance.plans.execute import Play
from conformance.plans.steps import Enqueue, Fate, Kind, Plan, Product, Send, Step, Via

ADD = Enqueue("A", Kind.ADD, "cart-1", "sku-1")


def reached(*story: Step) -> Counter[Triple]:
    play = Play(Plan((Product("sku-1", 100),), story), ToyStage(3))
    play.run()
    return play.lookout.triples


def states(triples: Counter[Triple], requirement: str) -> set[tuple[str, str]]:
    return {(triple.state, triple.fault) for triple in triples if triple.requirement == requirement}


def test_an_operation_next_in_line_is_judged_by_its_rule_under_no_fault() -> None:
    assert ("next in line", NO_FAULT) in states(reached(ADD, Send("A")), "cart/add-adds")


def test_a_duplicate_is_judged_by_the_replaying_of_its_record() -> None:
    triples = reached(ADD, Send("A"), Send("A", first=1))
    assert ("duplicate", NO_FAULT) in states(triples, "deciding/replay-verbatim")


def test_what_is_sent_again_after_a_lost_answer_is_judged_under_that_fault() -> None:
    triples = reached(ADD, Send("A", fate=Fate.HELD_AFTER_COMMIT), Send("A", first=1))
    found = states(triples, "deciding/replay-verbatim")
    assert {fault for _, fault in found} >= {"held_after_commit"}


def test_a_fault_is_over_once_its_queue_was_answered() -> None:
    triples = reached(
        ADD, Send("A", fate=Fate.HELD_AFTER_COMMIT), Send("A", first=1), ADD, Send("A"), Send("A", first=2)
    )
    assert ("next in line", NO_FAULT) in {(state.split(",")[0], fault) for _, state, fault in triples}


def test_a_record_from_before_a_restart_says_so() -> None:
    triples = reached(ADD, Send("A"), steps.Restart(), Send("A", first=1))
    found = states(triples, "deciding/replay-verbatim")
    assert ("duplicate, recorded before a restart", "restart") in found


def test_trouble_in_the_shop_is_part_of_the_state() -> None:
    triples = reached(ADD, steps.Backend(False), Send("A"))
    assert ("next in line, backend down", NO_FAULT) in states(triples, "backend/deferred")


def test_every_fate_and_every_step_that_is_none_of_a_shoppers_is_a_fault_with_a_name() -> None:
    named = {fault_of(Send("A", fate=fate, via=via)) for fate in Fate for via in Via}
    named |= {fault_of(steps.Race(Send("A"), Send("A"), held)) for held in (True, False)}
    named |= {fault_of(step) for step in (steps.Restart(), steps.Kill(), steps.RestoreStore(), ADD)}
    assert named <= set(FAULTS)
    assert len(FAULTS) == len(set(FAULTS))


def test_a_state_is_made_of_known_words_only() -> None:
    triples = reached(ADD, Send("A"), steps.Kill(), ADD, steps.Backend(False), Send("A"), Send("A", first=1))
    assert {word for triple in triples for word in triple.state.split(", ")} <= set(STATE_WORDS)


def test_coverage_counts_what_is_new_and_knows_what_is_rare() -> None:
    coverage = Coverage()
    once, twice = Triple("a/b", "read", NO_FAULT), Triple("a/c", "read", NO_FAULT)
    assert coverage.add(Counter({once: 3, twice: 1})) == 2
    assert coverage.add(Counter({twice: 1})) == 0
    assert coverage.counts == {once: 3, twice: 2}
    assert coverage.rarity([once, twice]) == 1.0
    assert coverage.rarity([twice]) == 0.5
