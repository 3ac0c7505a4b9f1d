"""Checks of spec 3.5: every effect once, in order, however many submissions there are at a time."""

from __future__ import annotations

import pytest
from cartsync.conformance.v1 import control_pb2 as control
from cartsync.v1 import operation_pb2, outcome_pb2, reason_pb2

from conformance.suite.evidence import expect_effects, expect_ledger_adds_up, expect_line
from conformance.suite.marks import requirement
from conformance.suite.openings import put_in_cart, twin_of
from conformance.suite.races import answer, held, overtake
from conformance.wire import Answer, Story


@requirement("effects/exactly-once")
def test_an_add_sent_in_many_ways_is_added_once(story: Story) -> None:
    """Sends one add alone, again, over another connection, in a batch, and over a stream where there is one."""
    tea = story.sku()
    phone = story.device()
    operation, _ = put_in_cart(story, phone, tea, 2)
    phone.submit(operation)
    twin = twin_of(story, phone)
    twin.submit(operation)
    phone.submit(operation, phone.add(tea, 5))
    if "streaming" in story.policy.profiles:
        stream, _ = phone.stream()
        phone.submit_on(stream, operation, phone.log[1])
        stream.half_close()
    expect_effects(story, phone, operation, 1)
    expect_effects(story, phone, phone.log[1], 1)
    story.expect_lines(phone.cart(), {tea: 7})
    expect_ledger_adds_up(story, phone)


@requirement("effects/exactly-once")
def test_every_applied_operation_of_a_batch_has_its_effect(story: Story) -> None:
    """Sends three adds in one submission and looks for the effect of each, before and after sending them again."""
    story.shop.needs(control.CAPABILITY_EFFECTS)  # an answer is no effect: without a ledger half of it is unseen
    tea = story.sku()
    phone = story.device()
    batch = [phone.add(tea, 1), phone.add(tea, 2), phone.add(tea, 4)]
    for _ in range(2):
        for result in phone.submit(*batch).results:
            story.expect_applied(result)
        for operation in batch:
            expect_effects(story, phone, operation, 1)
        story.expect_lines(phone.cart(), {tea: 7})


@requirement("effects/exactly-once")
def test_an_add_whose_answer_is_lost_is_added_once(story: Story) -> None:
    """Gives up on the answer of an add three times, and sends it once more."""
    tea = story.sku()
    phone = story.device()
    operation = phone.add(tea, 2)
    for _ in range(3):
        phone.submit_later(operation).cancel()
    story.expect_applied(phone.submit(operation).only)
    expect_effects(story, phone, operation, 1)
    story.expect_lines(phone.cart(), {tea: 2})


@requirement("effects/exactly-once")
def test_an_applied_operation_of_each_kind_has_its_effect_and_only_once(story: Story) -> None:
    """Sends every kind of operation twice, one after the other, and reads the cart after each."""
    tea = story.sku()
    phone = story.device()
    for operation, left in (
        (phone.add(tea, 5), 5),
        (phone.adjust(tea, 2), 7),
        (phone.adjust(tea, -3), 4),
        (phone.set(tea, 9), 9),
        (phone.remove(tea), 0),
        (phone.set(tea, 3), 3),
    ):
        story.expect_applied(phone.submit(operation).only, slug="cart/line-change")
        phone.submit(operation)
        expect_line(story, phone, tea, left)
        expect_effects(story, phone, operation, 1)
    expect_ledger_adds_up(story, phone)


@requirement("effects/exactly-once")
def test_what_is_not_applied_has_no_effect(story: Story) -> None:
    """Sends operations that are rejected, deferred and in conflict: cart and ledger stay as they were."""
    tea, gone = story.sku("tea"), story.sku("gone", available=0)
    phone = story.device()
    put_in_cart(story, phone, tea, 2)
    before = phone.cart()
    rejected = phone.add(gone, 1)
    phone.submit(rejected)
    phone.add(tea, 4)
    gap = phone.add(tea, 8)
    phone.submit(gap)
    copy = phone.copy("copy")
    copy.log.pop(0)
    diverged = copy.log[1]
    diverged.previous_key = phone.new_key()
    phone.submit(diverged)
    for operation in (rejected, gap, diverged):
        expect_effects(story, phone, operation, 0)
    story.expect_lines(phone.cart(), {tea: 2})
    story.expect(phone.cart().revision == before.revision, "a refused operation moved the revision")


@requirement("effects/in-order")
@pytest.mark.parametrize("had", [0, 3], ids=["a new line", "a line of three"])
def test_operations_of_a_batch_build_upon_one_another(story: Story, had: int) -> None:
    """Sends seven operations on one line in one submission; each starts where the one before it ended."""
    tea = story.sku()
    phone = story.device()
    if had:
        put_in_cart(story, phone, tea, had)
    batch = [
        phone.add(tea, 2),
        phone.set(tea, 5),
        phone.adjust(tea, -1),
        phone.remove(tea),
        phone.add(tea, 3),
        phone.adjust(tea, 4),
        phone.set(tea, 6),
    ]
    moves = [_move(outcome) for outcome in phone.submit(*batch).outcomes]
    expected = [(had, had + 2), (had + 2, 5), (5, 4), (4, 0), (0, 3), (3, 7), (7, 6)]
    story.expect(moves == expected, "a batch was not decided in order", expected=expected, observed=moves)
    story.expect_lines(phone.cart(), {tea: 6})


@requirement("effects/in-order")
def test_an_operation_is_judged_against_what_its_predecessors_left(story: Story) -> None:
    """Spends a stock of four in one submission: too much is rejected, and fits once something was taken out."""
    tea = story.sku("tea", available=4)
    phone = story.device()
    answered = phone.submit(
        phone.add(tea, 3), phone.add(tea, 2), phone.adjust(tea, -1), phone.add(tea, 2), phone.add(tea, 1)
    )
    story.expect_applied(answered.results[0])
    story.expect_refused(answered.results[1], reason_pb2.REASON_INSUFFICIENT_INVENTORY)
    story.expect_applied(answered.results[2])
    story.expect_applied(answered.results[3])
    story.expect_refused(answered.results[4], reason_pb2.REASON_INSUFFICIENT_INVENTORY)
    story.expect_lines(phone.cart(), {tea: 4})


@requirement("effects/in-order")
def test_operations_sent_all_at_once_are_decided_in_sequence(story: Story) -> None:
    """Sends ten operations in ten submissions at once, the last first, until all are decided."""
    tea = story.sku()
    phone = story.device()
    batch = [phone.add(tea, 1)]
    batch += [phone.adjust(tea, 1) if number % 3 else phone.set(tea, 2 * number) for number in range(1, 10)]
    for _ in range(len(batch)):
        for pending in [phone.submit_later(operation) for operation in reversed(batch)]:
            watermark = answer(pending).watermark
        if watermark == len(batch):
            break
    outcomes = phone.submit(*batch).outcomes
    revisions = [outcome.revision for outcome in outcomes]
    story.expect(
        revisions == sorted(set(revisions)),
        "operations of one queue were decided out of order",
        expected="revisions that rise with the sequence",
        observed=revisions,
    )
    held_now = 0
    for operation, outcome in zip(batch, outcomes, strict=True):
        story.expect(
            outcome.line_change.quantity_before == held_now,
            f"operation {operation.sequence} was not decided against the state its predecessors left",
            expected=held_now,
            observed=outcome.line_change,
        )
        held_now = outcome.line_change.quantity_after
    expect_line(story, phone, tea, held_now)


@requirement("effects/concurrent-duplicates")
def test_a_duplicate_that_overtakes_its_original_is_decided_once(story: Story) -> None:
    """Holds an add just before its commit while the same add comes over another connection."""
    tea = story.sku()
    phone = story.device()
    twin = twin_of(story, phone)
    put_in_cart(story, phone, tea, 1)
    operation = phone.add(tea, 2)
    with held(story, phone, operation) as first:
        second = overtake(twin, operation)
    _expect_one_decision(story, [answer(first), answer(second)])
    expect_effects(story, phone, operation, 1)
    story.expect_lines(phone.cart(), {tea: 3})
    expect_ledger_adds_up(story, phone)


@requirement("effects/concurrent-duplicates")
def test_the_first_add_of_a_cart_sent_twice_at_once_is_decided_once(story: Story) -> None:
    """Holds the very first operation of a queue before its commit while it comes over another connection."""
    tea = story.sku()
    phone = story.device()
    twin = twin_of(story, phone)
    operation = phone.add(tea, 2)
    with held(story, phone, operation) as first:
        second = overtake(twin, operation)
    _expect_one_decision(story, [answer(first), answer(second)])
    expect_effects(story, phone, operation, 1)
    story.expect_lines(twin.cart(), {tea: 2})


@requirement("effects/concurrent-duplicates")
def test_an_overtaken_operation_is_answered_with_the_decision_that_stands(story: Story) -> None:
    """Holds an add before its commit; the stock goes, and the same add comes over another connection."""
    tea = story.sku("tea", available=5)
    phone = story.device()
    twin = twin_of(story, phone)
    put_in_cart(story, phone, tea, 1)
    operation = phone.add(tea, 2)
    with held(story, phone, operation) as first:
        story.shop.offer(tea, 100, available=0)
        second = overtake(twin, operation)
    answers = [answer(first), answer(second)]
    _expect_one_decision(story, answers)
    applied = answers[0].only.outcome.state == reason_pb2.OUTCOME_STATE_APPLIED
    expect_effects(story, phone, operation, int(applied))
    story.expect_lines(phone.cart(), {tea: 3 if applied else 1})


@requirement("effects/concurrent-duplicates")
def test_two_operations_racing_for_one_sequence_end_in_one_decision(story: Story) -> None:
    """Holds an add before its commit while its discard comes: one of them wins, the other is a conflict."""
    tea = story.sku()
    phone = story.device()
    twin = twin_of(story, phone)
    operation = phone.add(tea, 2)
    discard = phone.discard_of(operation)
    with held(story, phone, operation) as first:
        second = overtake(twin, discard)
    states = [answer(pending).only.outcome.state for pending in (first, second)]
    story.expect(
        sorted(states) == [reason_pb2.OUTCOME_STATE_APPLIED, reason_pb2.OUTCOME_STATE_CONFLICT],
        "two operations at one sequence were not answered with one decision and one conflict",
        expected="APPLIED and CONFLICT",
        observed=[reason_pb2.OutcomeState.Name(state) for state in states],
    )
    applied = states[0] == reason_pb2.OUTCOME_STATE_APPLIED
    expect_effects(story, phone, operation, int(applied))
    story.expect_lines(phone.cart(), {tea: 2} if applied else {})


@requirement("effects/concurrent-duplicates")
def test_a_burst_of_duplicates_ends_in_one_decision_each(story: Story) -> None:
    """Sends the same batch of three at once over four connections, three times each."""
    tea = story.sku()
    phone = story.device()
    twins = [phone, *(twin_of(story, phone, f"twin {number}") for number in range(3))]
    batch = [phone.add(tea, 1), phone.add(tea, 2), phone.adjust(tea, 4)]
    answers = [answer(pending) for pending in [twin.submit_later(*batch) for _ in range(3) for twin in twins]]
    for place, operation in enumerate(batch):
        _expect_one_decision(story, answers, place)
        expect_effects(story, phone, operation, 1)
    story.expect_lines(phone.cart(), {tea: 7})
    expect_ledger_adds_up(story, phone)


@requirement("effects/concurrent-queues")
@pytest.mark.parametrize("same_line", [True, False], ids=["one line", "two lines"])
def test_a_change_of_another_queue_is_not_lost(story: Story, same_line: bool) -> None:
    """Holds an add before its commit while another queue adds to the same cart."""
    tea, cake = story.sku("tea"), story.sku("cake")
    other = tea if same_line else cake
    phone, tablet = story.device("phone"), story.device("tablet")
    put_in_cart(story, phone, tea, 1)
    with held(story, phone, phone.add(tea, 2)) as first:
        second = overtake(tablet, tablet.add(other, 4))
    story.expect_applied(answer(first).only)
    story.expect_applied(answer(second).only)
    story.expect_lines(phone.cart(), {tea: 7} if same_line else {tea: 3, cake: 4})
    expect_ledger_adds_up(story, phone)


@requirement("effects/concurrent-queues")
def test_two_queues_making_a_cart_at_once_make_one(story: Story) -> None:
    """Holds the first add of a cart before its commit while another queue's first add makes the cart."""
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    with held(story, phone, phone.add(tea, 2)) as first:
        second = overtake(tablet, tablet.add(tea, 4))
    revisions = [story.expect_applied(answer(pending).only).revision for pending in (first, second)]
    story.expect(len(set(revisions)) == 2, "two changes of one cart have one revision", observed=revisions)
    story.expect_lines(phone.cart(), {tea: 6})
    expect_ledger_adds_up(story, phone)


@requirement("effects/concurrent-queues")
def test_two_queues_do_not_both_take_what_is_there_once(story: Story) -> None:
    """Holds an add of three out of five before its commit while another queue adds three to the same line."""
    tea = story.sku("tea", available=5)
    phone, tablet = story.device("phone"), story.device("tablet")
    with held(story, phone, phone.add(tea, 3)) as first:
        second = overtake(tablet, tablet.add(tea, 3))
    states = sorted(answer(pending).only.outcome.state for pending in (first, second))
    story.expect(
        states == [reason_pb2.OUTCOME_STATE_APPLIED, reason_pb2.OUTCOME_STATE_REJECTED],
        "two adds of three to one line, with five in stock, were not answered as one after the other",
        expected="APPLIED and REJECTED",
        observed=[reason_pb2.OutcomeState.Name(state) for state in states],
    )
    story.expect_lines(phone.cart(), {tea: 3})


@requirement("effects/concurrent-queues")
def test_a_set_and_an_add_at_once_have_the_effects_of_some_order(story: Story) -> None:
    """Holds a set before its commit while another queue adds: set then add, or add then set."""
    tea = story.sku()
    phone, tablet = story.device("phone"), story.device("tablet")
    put_in_cart(story, phone, tea, 1)
    with held(story, phone, phone.set(tea, 10)) as first:
        second = overtake(tablet, tablet.add(tea, 4))
    moves = (_move(answer(first).only.outcome), _move(answer(second).only.outcome))
    orders = {((1, 10), (10, 14)): 14, ((5, 10), (1, 5)): 10}
    story.expect(
        moves in orders,
        "a set and an add at once do not report the line as in any order of the two",
        expected=list(orders),
        observed=moves,
    )
    story.expect_lines(phone.cart(), {tea: orders[moves]})


@requirement("effects/concurrent-queues")
def test_a_burst_of_several_queues_loses_no_change(story: Story) -> None:
    """Lets four queues send three submissions each at once, all to one cart, and adds everything up."""
    tea, cake = story.sku("tea"), story.sku("cake")
    devices = [story.device(f"device {number}") for number in range(4)]
    batches: list[tuple[int, list[operation_pb2.CartOperation]]] = []
    for _ in range(3):
        for number, device in enumerate(devices):
            batches.append((number, [device.add(tea, 1), device.adjust(tea, 2) if number else device.add(cake, 1)]))
    pending = [devices[number].submit_later(*batch) for number, batch in batches]
    for call in pending:
        answer(call)
    # A submission that overtook the one before it was a gap; sending all in order decides what is left.
    for device in devices:
        for result in device.submit(*device.log).results:
            story.expect_applied(result)
    story.expect_lines(devices[0].cart(), {tea: 12 + 18, cake: 3})
    expect_ledger_adds_up(story, devices[0])


@requirement("effects/concurrent-queues")
@pytest.mark.parametrize("count", [2, 4], ids=["two devices", "four devices"])
def test_adds_that_several_devices_send_at_once_all_count(story: Story, count: int) -> None:
    """Lets devices add one each at the same time, nothing sent twice, and adds up, eight times over."""
    tea = story.sku()
    devices = [story.device(f"device {number}") for number in range(count)]
    put_in_cart(story, devices[0], tea, 1)
    held_now = 1
    for _ in range(8):
        for pending in [device.submit_later(device.add(tea, 1)) for device in devices]:
            story.expect_applied(answer(pending).only)
            held_now += 1
        story.expect_lines(devices[0].cart(), {tea: held_now})


def _move(outcome: outcome_pb2.Outcome) -> tuple[int, int]:
    return outcome.line_change.quantity_before, outcome.line_change.quantity_after


def _expect_one_decision(story: Story, answers: list[Answer], place: int = 0) -> None:
    results = [given.results[place] for given in answers]
    decided = results[0].outcome
    final = (reason_pb2.OUTCOME_STATE_APPLIED, reason_pb2.OUTCOME_STATE_REJECTED)
    story.expect(
        all(result.outcome == decided for result in results) and decided.state in final,
        "concurrent submissions of one operation were answered with different decisions",
        expected="one final outcome in all answers",
        observed=[result.outcome for result in results],
    )
    story.expect(
        not all(result.replayed for result in results),
        "every answer claims that the operation had been decided before",
        slug="deciding/replayed-flag",
    )
