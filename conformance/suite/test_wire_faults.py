"""Spec 4.1 at the wire: a network between client and server that loses, cuts, drips, and delivers late."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from conformance.exceptions import NotTestableError
from conformance.faults import Fault, Harm, Link
from conformance.suite.evidence import expect_processed
from conformance.suite.marks import requirement
from conformance.wire import Connection, Device, Lane, RpcFailureError, Story, Target, TargetOptions

SEVERAL = 3


@contextlib.contextmanager
def bad_network(story: Story, device: Device, fault: Fault) -> Iterator[tuple[Link, Device]]:
    """The device's queue over a network with this fault; the device itself keeps its own good connection."""
    tell = story.history.add
    with Link(story.target.address, fault, lambda text: tell(Lane.NETWORK, f"the network {text}")) as link:
        beyond = Target(TargetOptions(target=link.address))
        connection = Connection(beyond, story.shop.credential(), story.history, device.name)
        try:
            yield link, device.over(connection)
        finally:
            connection.close()


def filled(story: Story) -> tuple[Device, str]:
    """A device with several adds of one product written down."""
    phone, tea = story.device(), story.sku()
    for _ in range(SEVERAL):
        phone.add(tea, 2)
    return phone, tea


FAULTS = {
    "before a byte of the request left": Fault(Harm.CUT_BEFORE_SEND),
    "after the head of the request": Fault(Harm.CUT_REQUEST, after=0),
    "in the middle of the request": Fault(Harm.CUT_REQUEST, after=120),
    "in the middle of the request, with a reset": Fault(Harm.CUT_REQUEST, after=120, reset=True),
    "in the middle of the answer": Fault(Harm.CUT_ANSWER, after=20),
    "in the middle of the answer, with a reset": Fault(Harm.CUT_ANSWER, after=20, reset=True),
    "before the answer": Fault(Harm.LOSE_ANSWER),
    "before the answer, with a reset": Fault(Harm.LOSE_ANSWER, reset=True),
}


@requirement("durability/lost-answer", "effects/exactly-once")
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_connection_is_cut(story: Story, fault: Fault) -> None:
    """Cuts the connection of a submission there, and sends the same again: each operation has its one effect."""
    phone, tea = filled(story)
    with bad_network(story, phone, fault) as (link, cut_off):
        with contextlib.suppress(RpcFailureError):
            cut_off.submit(*phone.log)
        if not link.await_struck():
            raise NotTestableError("the submission never met the fault that the network had in store for it")
    if fault.harm in (Harm.CUT_ANSWER, Harm.LOSE_ANSWER):
        watermark = phone.lookup(1, SEVERAL).queue.decided_through_sequence
        story.expect(
            watermark == SEVERAL,
            "an answer was on its way, and not all that it answers is decided",
            expected=SEVERAL,
            observed=watermark,
            slug="durability/answer-after-commit",
        )
    for result in phone.submit(*phone.log).results:
        story.expect_applied(result)
    expect_processed(story, phone, phone.log, {tea: 2 * SEVERAL})


@requirement("effects/exactly-once", "effects/concurrent-duplicates")
def test_a_request_that_the_network_kept_arrives_after_its_retry(story: Story) -> None:
    """Cuts the client off, lets it send again, and delivers the first request then: it changes nothing more."""
    phone, tea = filled(story)
    with bad_network(story, phone, Fault(Harm.ZOMBIE)) as (link, cut_off):
        pending = cut_off.submit_later(*phone.log)
        if not link.await_struck():
            raise NotTestableError("the network saw no request to keep")
        recorded = phone.submit(*phone.log).outcomes
        link.release()
        pending.wait(1.0)
        for operation, outcome in zip(phone.log, recorded, strict=True):
            story.expect_replayed(phone.submit(operation).only, outcome)
    expect_processed(story, phone, phone.log, {tea: 2 * SEVERAL})


@requirement("answers/one-per-attempt")
def test_a_request_that_arrives_byte_by_byte_is_answered(story: Story) -> None:
    """Lets a request arrive in pieces of seven bytes: it is answered as any other."""
    phone, tea = filled(story)
    with bad_network(story, phone, Fault(Harm.DRIP, after=7)) as (_, slow):
        for result in slow.submit(*phone.log).results:
            story.expect_applied(result)
    expect_processed(story, phone, phone.log, {tea: 2 * SEVERAL})
