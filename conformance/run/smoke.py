"""The smoke stage: before anything is judged, see that there is something to judge."""

from __future__ import annotations

import random
from dataclasses import dataclass

import grpc
from cartsync.conformance.v1 import control_pb2
from cartsync.v1 import outcome_pb2, reason_pb2

from conformance.exceptions import NotTestableError, TargetUnreachableError, ViolationError
from conformance.wire import RpcFailureError, Story, Target
from conformance.wire.shop import ControlFailedError
from conformance.wire.wording import described


@dataclass(frozen=True, slots=True)
class Introduction:
    """What a server says of itself: through its control service, and in its policy."""

    description: control_pb2.DescribeResponse | None  # None without a control service
    profiles: tuple[str, ...] | None  # None when it did not say


def smoke(target: Target) -> Introduction | None:
    """See that the service is there, and that one add is answered; returns what the server says of itself.

    Raises TargetUnreachableError with a sentence on what to look at. Without a control service
    and without fixtures only the presence of the cart service is seen to, and None is returned.
    """
    story = Story(target, random.Random(0), name="smoke")  # noqa: S311 - names for a test, no secrets
    try:
        _find_service(story)
        if target.accounts is not None:
            _answer_one_add(story)
            return Introduction(None, _listed_profiles(story))
        if not target.control_address:
            return None
        description = _find_control(story)
        _answer_one_add(story)
        return Introduction(description, _listed_profiles(story))
    finally:
        story.close()


def _find_service(story: Story) -> None:
    try:
        story.connect_with("").policy()
    except RpcFailureError as failure:
        if failure.code is grpc.StatusCode.UNIMPLEMENTED:
            raise TargetUnreachableError(
                f"the gRPC server at {story.target.address} does not offer cartsync.v1.CartSyncService; "
                "is this the right port?"
            ) from failure
        if failure.is_lost:
            raise TargetUnreachableError(
                f"the server at {story.target.address} does not answer GetSyncPolicy: {failure}"
            ) from failure


def _listed_profiles(story: Story) -> tuple[str, ...] | None:
    try:
        return tuple(story.policy.profiles) or None
    except (RpcFailureError, NotTestableError):
        return None


def _find_control(story: Story) -> control_pb2.DescribeResponse:
    address = story.target.control_address
    try:
        return story.shop.describe()
    except ControlFailedError as error:
        hint = "; is --control-secret right?" if error.code is grpc.StatusCode.UNAUTHENTICATED else ""
        raise TargetUnreachableError(f"at {address} {error}{hint}") from error
    except NotTestableError as error:
        raise TargetUnreachableError(
            f"the gRPC server at {address} does not offer cartsync.conformance.v1.ControlService; does the test build "
            "of your server open it on --control?"
        ) from error


def _answer_one_add(story: Story) -> None:
    try:
        phone = story.device()
        answer = phone.submit(phone.add(story.sku()))
        if story.target.accounts is not None:
            _see_that_it_fits(story, answer.only.outcome)
    except NotTestableError as error:
        if story.target.accounts is not None:
            raise TargetUnreachableError(f"the fixtures file is of no use here: {error}") from error
        return  # a server without offers is judged by what it has
    except RpcFailureError as failure:
        raise TargetUnreachableError(
            f"the server at {story.target.address} is up, but a first add by {_whom(story)} ends with {failure}"
        ) from failure
    except ViolationError:
        return  # answered, if wrongly: that is for the checks to judge


def _see_that_it_fits(story: Story, outcome: outcome_pb2.Outcome) -> None:
    """A fixtures file that is out of date would be taken for violations, everywhere."""
    if outcome.state != reason_pb2.OUTCOME_STATE_APPLIED or outcome.adjustments:
        raise TargetUnreachableError(
            f"the fixtures file does not fit the server at {story.target.address}: a first add of its first product "
            f"was answered {described(outcome)}; are sku, price and currency those of today?"
        )


def _whom(story: Story) -> str:
    return "an account of the fixtures file" if story.target.accounts else "a principal of its own control service"
