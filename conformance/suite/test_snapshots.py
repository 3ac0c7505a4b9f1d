"""Checks of spec 5.4: what GetCart shows."""

from __future__ import annotations

import grpc
import pytest
from cartsync.conformance.v1 import control_pb2 as control
from cartsync.v1 import cart_pb2, service_pb2

from conformance.suite.evidence import expect_watermark
from conformance.suite.marks import requirement
from conformance.suite.openings import put_in_cart, twin_of
from conformance.suite.races import answer, held, read_beside
from conformance.wire import Story


@requirement("snapshot/unknown-cart")
def test_a_cart_that_was_never_made_is_open_and_empty(story: Story) -> None:
    """Reads a cart that no add has made, before and after operations that make none."""
    story.needs_unmade_cart()
    tea = story.sku()
    phone = story.device()
    for _ in range(2):
        cart = phone.cart()
        story.expect(
            cart.cart_id == phone.cart_id
            and cart.state == cart_pb2.CART_STATE_OPEN
            and cart.revision == 0
            and not cart.lines
            and not cart.HasField("subtotal")
            and not cart.HasField("update_time")
            and cart.HasField("price_time"),
            "a cart that no add has made is not shown as an open, empty cart with revision 0",
            expected="open, revision 0, no lines, no subtotal, no update_time, a price_time",
            observed=cart,
        )
        phone.submit(phone.remove(tea), phone.set(tea, 1))


@requirement("snapshot/unknown-cart")
def test_a_queue_that_never_sent_anything_is_shown_with_watermark_0(story: Story) -> None:
    """Reads an unknown cart with an unknown queue."""
    phone = story.device()
    read = phone.read_cart()
    story.expect(
        read.HasField("queue") and read.queue.queue_id == phone.queue_id and read.queue.decided_through_sequence == 0,
        "a queue that never sent anything is not shown with watermark 0",
        expected=f"queue {phone.queue_id}, watermark 0",
        observed=read.queue,
    )


@requirement("snapshot/content")
def test_a_snapshot_shows_each_line_once_in_ascending_order_of_code_points(story: Story) -> None:
    """Adds SKUs of many scripts in a mixed order, some of them twice, and takes one out again."""
    names = ["tea", "Tea", "TEA", "zz", "Z", "äpfel", "a", "~", "0", "Ｔ", "🍵", "ﬀ", "茶"]
    skus = [story.sku(name) for name in names]
    phone = story.device()
    phone.submit(*(phone.add(sku, number + 1) for number, sku in enumerate(skus)))
    phone.submit(phone.add(skus[3], 10), phone.adjust(skus[0], 5), phone.remove(skus[6]))
    expected = {sku: number + 1 for number, sku in enumerate(skus)}
    expected[skus[3]] += 10
    expected[skus[0]] += 5
    del expected[skus[6]]
    cart = phone.cart()
    story.expect_lines(cart, expected)
    observed = [line.sku for line in cart.lines]
    story.expect(
        observed == sorted(expected),
        "the lines are not in ascending order of the SKUs' code points",
        expected=sorted(expected),
        observed=observed,
    )


@requirement("snapshot/content")
def test_a_line_of_nothing_is_no_line(story: Story) -> None:
    """Brings lines to nothing by removal, adjustment and set."""
    skus = [story.sku(name) for name in ("tea", "cake", "jam", "milk")]
    phone = story.device()
    phone.submit(*(phone.add(sku, 2) for sku in skus))
    phone.submit(phone.remove(skus[0]), phone.adjust(skus[1], -2), phone.set(skus[2], 0))
    story.expect_lines(phone.cart(), {skus[3]: 2})


@requirement("snapshot/content")
def test_a_snapshot_names_its_cart_and_its_times(story: Story) -> None:
    """Reads a cart after a change: its id, when it was priced and when it changed."""
    tea = story.sku()
    phone = story.device(cart_id="A.b_c-1")
    put_in_cart(story, phone, tea)
    cart = phone.cart()
    story.expect(
        cart.cart_id == phone.cart_id
        and cart.state == cart_pb2.CART_STATE_OPEN
        and cart.HasField("price_time")
        and cart.HasField("update_time"),
        "a snapshot lacks its cart's id, its state, price_time or update_time",
        observed=cart,
    )


@requirement("snapshot/content")
def test_the_queue_is_there_when_it_was_asked_for_and_only_then(story: Story) -> None:
    """Reads a cart with and without naming a queue."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea)
    with_queue, without = phone.read_cart(), phone.read_cart(with_queue=False)
    story.expect(
        with_queue.queue == service_pb2.QueueState(queue_id=phone.queue_id, decided_through_sequence=1)
        and not without.HasField("queue"),
        "the queue of a snapshot is not there when asked for, or there when not",
        observed=f"asked: {with_queue.queue}, not asked: {without.queue}",
    )
    story.expect_lines(without.cart, {tea: 1})


@requirement("snapshot/atomic")
def test_a_snapshot_read_before_a_commit_knows_nothing_of_it(story: Story) -> None:
    """Reads cart and watermark while two operations are held before their commit; it may wait, as under a lock."""
    tea = story.sku()
    phone = story.device()
    reader = twin_of(story, phone, "reader")
    put_in_cart(story, phone, tea, 1)
    with held(story, phone, phone.add(tea, 2), phone.add(tea, 4)) as pending:
        read = read_beside(lambda seconds: reader.read_cart(seconds=seconds))
    if read is not None:
        story.expect(
            read.queue.decided_through_sequence == 1,
            "the watermark moved before the commit",
            expected=1,
            observed=read.queue.decided_through_sequence,
        )
        story.expect_lines(read.cart, {tea: 1})
    expect_watermark(story, answer(pending), 3, slug="answers/watermark")
    story.expect_lines(reader.cart(), {tea: 7})


@requirement("snapshot/atomic")
def test_a_snapshot_read_after_a_commit_knows_all_of_it(story: Story) -> None:
    """Reads cart and watermark while an answer is held after its commit; it may wait for that answer."""
    tea = story.sku()
    phone = story.device()
    reader = twin_of(story, phone, "reader")
    put_in_cart(story, phone, tea, 1)
    batch = (phone.add(tea, 2), phone.add(tea, 4))
    with held(story, phone, *batch, point=control.FAIL_POINT_AFTER_COMMIT) as pending:
        read = read_beside(lambda seconds: reader.read_cart(seconds=seconds))
    read = read or reader.read_cart()
    story.expect(
        read.queue.decided_through_sequence == 3,
        "the watermark did not move with the commit",
        expected=3,
        observed=read.queue.decided_through_sequence,
    )
    story.expect_lines(read.cart, {tea: 7})
    answer(pending)


@requirement("snapshot/atomic")
def test_snapshots_read_while_operations_come_in_are_of_one_instant(story: Story) -> None:
    """Reads cart and watermark over and over while forty adds of one come in: always as many as are decided."""
    tea, cake = story.sku("tea"), story.sku("cake")
    phone = story.device()
    reader = twin_of(story, phone, "reader")
    other = story.device("tablet")
    put_in_cart(story, phone, tea, 1)
    for _ in range(12):
        pending = [phone.submit_later(*(phone.add(tea, 1) for _ in range(size))) for size in (1, 2)]
        pending.append(other.submit_later(other.add(cake, 1)))
        while True:
            finished = all(call.done() for call in pending)
            read = reader.read_cart()
            quantity = sum(line.quantity for line in read.cart.lines if line.sku == tea)
            story.expect(
                quantity == read.queue.decided_through_sequence,
                "a snapshot does not hold the cart and the watermark of one instant",
                expected=f"{read.queue.decided_through_sequence} adds of one, by the watermark",
                observed=quantity,
            )
            if finished:
                break
        for call in pending:
            answer(call)
        phone.submit(*phone.log[-3:])  # an overtaken submission was a gap


@requirement("snapshot/state")
def test_a_closed_cart_is_shown_as_closed_with_its_lines(story: Story) -> None:
    """Reads a cart before and after its checkout, and another cart beside it."""
    tea = story.sku("tea", 255)
    phone = story.device()
    put_in_cart(story, phone, tea, 2, price=255)
    story.expect_applied(phone.submit(phone.add(tea, 1, price=255, cart_id="other")).only, slug="cart/add-adds")
    states = [phone.cart().state]
    story.shop.close_cart(phone.cart_id)
    cart = phone.cart()
    states += [cart.state, phone.cart("other").state]
    expected = [cart_pb2.CART_STATE_OPEN, cart_pb2.CART_STATE_CLOSED, cart_pb2.CART_STATE_OPEN]
    story.expect(states == expected, "a cart's state is not shown as it is", expected=expected, observed=states)
    story.expect_lines(cart, {tea: 2})


@requirement("snapshot/arguments")
@pytest.mark.parametrize(
    "cart_id", ["", "my cart", "a/b", "café", "x" * 65], ids=["empty", "a space", "a slash", "not ASCII", "too long"]
)
def test_a_malformed_cart_id_is_refused(story: Story, cart_id: str) -> None:
    """Reads a cart by an id that no cart can have."""
    phone = story.device()
    story.expect_status(
        lambda: phone.connection.get_cart(service_pb2.GetCartRequest(cart_id=cart_id)),
        grpc.StatusCode.INVALID_ARGUMENT,
        reason="REQUEST_INVALID",
        field="cart_id",
    )


@requirement("snapshot/arguments")
@pytest.mark.parametrize("form", ["upper case", "no hyphens", "braces", "not a UUID"])
def test_a_malformed_queue_id_is_refused(story: Story, form: str) -> None:
    """Reads a cart with a queue id that is not canonical."""
    phone = story.device()
    canonical = phone.queue_id
    queue_id = {
        "upper case": "ABCDEF" + canonical.upper()[6:],
        "no hyphens": canonical.replace("-", ""),
        "braces": "{" + canonical + "}",
        "not a UUID": "main",
    }[form]
    story.expect_status(
        lambda: phone.connection.get_cart(service_pb2.GetCartRequest(cart_id="main", queue_id=queue_id)),
        grpc.StatusCode.INVALID_ARGUMENT,
        reason="REQUEST_INVALID",
        field="queue_id",
    )
