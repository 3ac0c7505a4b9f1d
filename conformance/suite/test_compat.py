"""Checks of spec 2.6: what comes from a newer client is taken for what this server knows of it."""

from __future__ import annotations

from cartsync.v1 import address_pb2, operation_pb2, policy_pb2, reason_pb2, service_pb2

from conformance.suite.edits import edited, from_the_future
from conformance.suite.marks import requirement
from conformance.suite.openings import put_in_cart
from conformance.wire import Story
from conformance.wire.device import answer_of, attempts_of


@requirement("compat/unknown-fields")
def test_a_submission_with_unknown_fields_is_decided(story: Story) -> None:
    """Submits an add that has fields of a newer edition at every depth."""
    tea = story.sku()
    phone = story.device()
    operation = phone.add(tea, 2, headroom=100)
    operation.session_context.locale = "en-GB"
    operation.enqueue_time.seconds = 1_700_000_000
    answer = answer_of(phone.connection.submit(from_the_future(phone.request(operation))))
    story.expect_applied(answer.only)
    story.expect_lines(phone.cart(), {tea: 2})


@requirement("compat/unknown-fields")
def test_reads_with_unknown_fields_are_answered(story: Story) -> None:
    """Reads a cart and looks outcomes up with fields of a newer edition in the requests."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea, 2)
    read = service_pb2.GetCartRequest(cart_id=phone.cart_id, queue_id=phone.queue_id)
    story.expect_lines(phone.connection.get_cart(from_the_future(read)).cart, {tea: 2})
    look = service_pb2.LookupOutcomesRequest(queue_id=phone.queue_id, first_sequence=1, last_sequence=1)
    found = phone.connection.lookup(from_the_future(look))
    story.expect(found.queue.decided_through_sequence == 1, "a look-up with unknown fields fails", observed=found)


@requirement("compat/unknown-fields")
def test_intents_of_every_kind_may_have_unknown_fields(story: Story) -> None:
    """Submits one operation of each kind on a line, and a discard, each with fields of a newer edition."""
    tea = story.sku()
    phone = story.device()
    batch = [phone.add(tea, 2), phone.adjust(tea, 3), phone.set(tea, 4), phone.remove(tea)]
    discard = phone.discard_of(phone.add(tea))
    for operation in (*batch, discard):
        answer = answer_of(phone.connection.submit(phone.request(from_the_future(operation))))
        story.expect_applied(answer.only, changed=operation is not discard)


@requirement("compat/unknown-fields-no-payload")
def test_an_unknown_field_makes_no_other_payload(story: Story) -> None:
    """Has an add decided without and one with unknown fields; the duplicate of each is the other way round."""
    tea = story.sku()
    phone = story.device()
    plain, adorned = phone.add(tea, 2), from_the_future(phone.add(tea, 3))
    first = story.expect_applied(phone.submit(plain).only)
    second = story.expect_applied(phone.submit(adorned).only)
    story.expect_replayed(phone.submit(from_the_future(plain)).only, first)
    story.expect_replayed(phone.submit(phone.log[1]).only, second)


@requirement("compat/unknown-fields-no-payload")
def test_another_payload_stays_another_beside_unknown_fields(story: Story) -> None:
    """Changes a known field of a decided add that has unknown ones: that is another payload."""
    tea = story.sku()
    phone = story.device()
    operation = from_the_future(phone.add(tea, 2))
    story.expect_applied(phone.submit(operation).only)
    other = edited(operation)
    other.add_item.quantity = 3
    story.expect_refused(phone.submit(other).only, reason_pb2.REASON_PAYLOAD_MISMATCH, slug="deciding/payload-mismatch")


@requirement("compat/listed-feature")
def test_a_feature_that_is_listed_may_be_required(story: Story) -> None:
    """Requires every feature that the policy lists, one by one and all together; nothing to see where it lists none."""
    tea = story.sku()
    phone = story.device()
    features = list(story.policy.features)
    for count, required in enumerate([[feature] for feature in features] + [features], start=1):
        operation = phone.add(tea, 1)
        operation.required_features.extend(required)
        story.expect_applied(phone.submit(operation).only)
        story.expect_lines(phone.cart(), {tea: count})


@requirement("compat/unlisted-profile")
def test_an_intent_of_a_profile_that_is_not_listed_is_rejected(story: Story) -> None:
    """Sends an intent of each profile that the policy does not list: rejected, and the queue goes on."""
    tea = story.sku()
    phone = story.device()
    put_in_cart(story, phone, tea, 2)
    for profile, intent in _intents(phone.new_key(), tea).items():
        if profile in story.policy.profiles:
            continue
        answer = phone.submit(phone.enqueue(intent), phone.add(tea, 1))
        story.expect_refused(answer.results[0], reason_pb2.REASON_UNSUPPORTED_INTENT)
        story.expect_applied(answer.results[1], slug="deciding/rejection-advances")


@requirement("compat/unknown-fields")
def test_what_an_answer_says_is_within_the_edition(story: Story) -> None:
    """Sees to it that unknown fields of a request come back in no answer."""
    tea = story.sku()
    phone = story.device()
    request = from_the_future(phone.request(phone.add(tea, 2)))
    encoded = phone.connection.submit(request).SerializeToString()
    story.expect(
        b"from-the-future" not in encoded, "an answer gives back what the server does not know", observed=encoded
    )


def _intents(name: str, sku: str) -> dict[str, operation_pb2.CartOperation]:
    address = address_pb2.Address(recipient="A. Shopper", address_lines=["1 High Street"], region_code="GB")
    put = operation_pb2.PutAddress(address_id=name, address=address)
    put.update_mask.paths.extend(["recipient", "address_lines", "region_code"])
    return {
        "coupons": operation_pb2.CartOperation(
            apply_coupon=operation_pb2.ApplyCoupon(cart_id="main", coupon_code="TEA10")
        ),
        "wishlist": operation_pb2.CartOperation(add_to_wishlist=operation_pb2.AddToWishlist(sku=sku)),
        "address_book": operation_pb2.CartOperation(put_address=put),
        "payment_methods": operation_pb2.CartOperation(
            delete_payment_method=operation_pb2.DeletePaymentMethod(payment_method_id=name)
        ),
        "guest_claim": operation_pb2.CartOperation(
            claim_guest_cart=operation_pb2.ClaimGuestCart(claim_token="token", guest_cart_id="main", cart_id="main")
        ),
    }


@requirement("compat/unknown-fields")
def test_a_stream_takes_unknown_fields_as_a_unary_call_does(story: Story) -> None:
    """Says Hello and Submit with fields of a newer edition; nothing to see where there is no streaming."""
    if "streaming" not in story.policy.profiles:
        return
    tea = story.sku()
    phone = story.device()
    stream = phone.connection.stream()
    hello = service_pb2.Hello(queue_id=phone.queue_id, expected_principal=phone.principal)
    stream.say(from_the_future(service_pb2.SyncRequest(hello=hello)))
    welcome = stream.hear()
    story.expect(
        welcome is not None and isinstance(welcome.welcome.policy, policy_pb2.SyncPolicy),
        "Hello with unknown fields is not answered with Welcome",
        observed=welcome,
    )
    submit = service_pb2.Submit(attempts=attempts_of([phone.add(tea, 2)]))
    stream.say(from_the_future(service_pb2.SyncRequest(submit=submit)))
    story.expect_applied(phone.hear_outcomes(stream).only)
    stream.half_close()
