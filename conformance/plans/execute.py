"""Plays a plan on a stage, telling the judge of everything in the order it happens.

At the end it settles: trouble is lifted, every device sends all it has until everything is decided, and everything
that can be read is read. Steps that make no sense where they stand are passed over, as are those that the stage has
no means for; a fate that needs a submission to commit (a hold, an abort) becomes a plain sending when it might not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conformance.oracle.judging import Judge, Refutation
from conformance.oracle.observations import ObservedAnswer
from conformance.oracle.resources import place_of
from conformance.oracle.values import Submission
from conformance.oracle.world import SOLE, Kind, Place, cart_place
from conformance.plans import steps
from conformance.plans.coverage import Lookout
from conformance.plans.devices import Device
from conformance.plans.shop_actions import ShopActions
from conformance.plans.stage import (
    ANSWERS_MISSING,
    ANSWERS_TOO_MANY,
    GUEST,
    CallRefusedError,
    Means,
    Stage,
    principal_of,
)
from conformance.plans.steps import FULL_BATCH, Fate, Listing, Plan, Reuse, Send, Step, Times, Twist, Via
from conformance.plans.writing import Desk

_MOST_IN_BULK = 200  # a server that takes more at once is not brought to its limit by plans
_PATIENCE = 6  # submissions lost in a row before a server counts as not answering


def execute(plan: Plan, stage: Stage) -> Judge:
    """Play `plan` on `stage`; raises Refutation when the server breaks a requirement.

    Raises TooManyWorldsError when too much is unknown to judge; whatever the stage raises passes through.
    """
    play = Play(plan, stage)
    play.run()
    return play.judge


class Play:
    """One execution of one plan."""

    def __init__(self, plan: Plan, stage: Stage, judge_kind: type[Judge] = Judge) -> None:
        self.stage = stage
        self.lookout = Lookout()
        self.judge = judge_kind(stage.limits, self.lookout.judged)
        self.devices: dict[str, Device] = {}
        self._plan = plan
        self.shop = ShopActions(stage, self.judge, plan.products)
        self._carts = _carts_of(plan)
        self._listings = _listings_of(plan)
        self._claim_token = ""
        self._saved = False

    def run(self) -> None:
        """Play it from the first offer to the last look."""
        self.open()
        for step in self._plan.steps:
            self.take(step)
        self.settle()

    def open(self) -> None:
        """Fill the shop."""
        self.shop.open({step.sku for step in self._plan.steps if isinstance(step, steps.Enqueue)})

    def take(self, step: Step) -> None:
        """Play one step."""
        self.lookout.begins(step)
        _ACTIONS[type(step)](self, step)
        self.lookout.ends(self._struck_by(step))

    def _struck_by(self, step: Step) -> set[str]:
        """The queues that a step may have struck: that of a sending, or all of them."""
        if isinstance(step, Send) and not step.fate.kills:
            return {self.device(step.device).queue_id}
        return {device.queue_id for device in self.devices.values()}

    # Devices.

    def enqueue(self, step: steps.Enqueue) -> None:
        """A device writes down something about a line."""
        device = self.device(step.device)
        offer = self.judge.shop.offer(self.stage.own_name(step.sku))
        for _ in range(self._times(step)):
            intent = Desk(self.stage, offer).intent(device, step)
            device.enqueue(intent, self._key(step), age=step.age, feature=step.feature)

    def _times(self, step: steps.Enqueue) -> int:
        """How many operations a step writes down."""
        full = min(self.stage.limits.max_submission_operation_count, _MOST_IN_BULK)
        return {Times.ONCE: 1, Times.FULL: full, Times.FULL_AND_ONE: full + 1}[step.times]

    def enqueue_other(self, step: steps.Enqueueing) -> None:
        """A device writes down something else."""
        device = self.device(step.device)
        if isinstance(step, steps.EnqueueClaim) and not step.forged and not self._has_claim_token():
            return
        device.enqueue(Desk(self.stage, claim_token=self._claim_token).intent(device, step), self.stage.new_id())

    def _has_claim_token(self) -> bool:
        """Whether the guest has been given a claim token; it is asked for at the first need."""
        if not self._claim_token and Means.GUEST_CLAIM in self.stage.means:
            self._claim_token = self._guarded(None, self.stage.claim_token) or ""
            if self._claim_token:
                self.judge.claim_token_given(self._claim_token, GUEST)
        return bool(self._claim_token)

    def _key(self, step: steps.Enqueue) -> str:
        own = self.device(step.device)
        lenders = {
            Reuse.NONE: [],
            Reuse.OWN: [own],
            Reuse.OTHER: [other for other in self.devices.values() if other.queue_id != own.queue_id],
        }[step.reuse]
        return next((lender.operations[0].key for lender in lenders if lender.operations), "") or self.stage.new_id()

    def discard(self, step: steps.Discard) -> None:
        """A device cancels something."""
        self.device(step.device).discard(step.sequence, self.stage.new_id)

    def copy_queue(self, step: steps.CopyQueue) -> None:
        """A backup of a device comes to life."""
        if step.source != step.target and principal_of(step.source) == principal_of(step.target):
            self.devices[step.target] = self.device(step.source).copy(step.target)

    def device(self, name: str) -> Device:
        """A device, new when it was never named."""
        if name not in self.devices:
            self.devices[name] = Device(name, self.stage.new_id(), principal_of(name))
            self.judge.queue_opened(self.devices[name].queue_id, principal_of(name))
        return self.devices[name]

    # Sending.

    def send(self, step: Send) -> None:
        """A device sends, and something becomes of it."""
        device = self.device(step.device)
        submissions = device.submissions(step, self.stage.limits, self.stage.new_id)
        if not submissions:
            return
        if step.via is Via.STREAM and step.fate in (Fate.ANSWERED, Fate.CUT) and Means.STREAM in self.stage.means:
            self._stream(device, submissions, cut=step.fate is Fate.CUT and not self.shop.is_limited)
            return
        for submission in submissions[:-1]:
            self._answered(device, submission)
        self._suffer(device, submissions[-1], self._possible(step.fate, submissions[-1]))

    def _possible(self, fate: Fate, submission: Submission) -> Fate:
        """The fate, or the nearest that this stage can give this submission."""
        needs = {
            Fate.HELD_BEFORE_COMMIT: Means.HOLD,
            Fate.HELD_AFTER_COMMIT: Means.HOLD,
            Fate.CRASH_BEFORE_COMMIT: Means.ABORT,
            Fate.CRASH_AFTER_COMMIT: Means.ABORT,
            Fate.KILLED: Means.KILL,
        }
        if self.shop.is_limited and fate is not Fate.ANSWERED:
            return Fate.ANSWERED  # what a submission on its way does to the limit is the server's choice
        if fate in needs and needs[fate] not in self.stage.means:
            return Fate.CUT
        at_commit = fate in needs and fate is not Fate.KILLED
        return Fate.ANSWERED if at_commit and not self.judge.surely_commits(submission) else fate

    def _suffer(self, device: Device, submission: Submission, fate: Fate) -> None:
        self.lookout.suffers(fate)
        match fate:
            case Fate.ANSWERED:
                self._answered(device, submission)
            case Fate.CUT:
                self.stage.cut(device.name, submission)
                self.judge.lost(submission)
            case Fate.HELD_BEFORE_COMMIT | Fate.HELD_AFTER_COMMIT:
                committed = fate is Fate.HELD_AFTER_COMMIT
                held = self.stage.hold_and_cut(device.name, submission, committed=committed)
                self._unheard(submission, certain=held and committed)
            case Fate.CRASH_BEFORE_COMMIT | Fate.CRASH_AFTER_COMMIT:
                committed = fate is Fate.CRASH_AFTER_COMMIT
                died = self.stage.crash_at_commit(device.name, submission, committed=committed)
                self._unheard(submission, certain=died and committed)
                self._came_back(self.judge.crashed)
            case Fate.KILLED:
                self.stage.kill_during(device.name, submission)
                self.judge.lost(submission)
                self._came_back(self.judge.crashed)

    def _unheard(self, submission: Submission, *, certain: bool) -> None:
        if certain:
            self.judge.processed(submission)
        else:
            self.judge.lost(submission)

    def _answered(self, device: Device, submission: Submission) -> ObservedAnswer | None:
        answer: ObservedAnswer | None = self._guarded(submission, lambda: self.stage.submit(device.name, submission))
        if answer is None:
            self.judge.lost(submission)
            return None
        self.judge.answered(submission, answer)
        self._heard(device, answer)
        return answer

    def _stream(self, device: Device, submissions: list[Submission], *, cut: bool) -> None:
        answers = self._guarded(submissions[0], lambda: self.stage.stream(device.name, submissions, cut=cut))
        for submission, answer in zip(submissions, answers, strict=False):
            self.judge.answered(submission, answer, overlapping=submission is not submissions[-1])
            self._heard(device, answer)
        for submission in submissions[len(answers) :]:
            self.judge.lost(submission)

    def race(self, step: steps.Race) -> None:
        """Two sendings overlap; then everything is read, to see what the race left behind."""
        sides = []
        for send in (step.left, step.right):
            device = self.device(send.device)
            submissions = device.submissions(send, self.stage.limits, self.stage.new_id)
            if not submissions:
                return
            sides.append((device, submissions[0]))
        (left, first), (right, second) = sides
        if self.shop.is_limited:
            self._answered(left, first)
            self._answered(right, second)
            return
        held = step.held and Means.HOLD in self.stage.means and self.judge.surely_commits(first)
        answers = self._guarded(first, lambda: self.stage.race((left.name, first), (right.name, second), held=held))
        self.judge.raced((first, answers[0]), (second, answers[1]))
        for device, answer in zip((left, right), answers, strict=True):
            if answer is not None:
                self._heard(device, answer)
        self.survey()

    def _heard(self, device: Device, answer: ObservedAnswer) -> None:
        device.heard(answer)
        for result in answer.results:
            outcome = result.outcome
            if outcome.changed and 1 <= outcome.sequence <= len(device.operations):
                place = place_of(device.operations[outcome.sequence - 1].intent, device.principal)
                if place is not None:
                    device.revisions[place] = max(device.revisions.get(place, 0), outcome.revision)

    def _guarded(self, submission: Submission | None, call: Callable[[], Any]) -> Any:
        """Judge a call that was refused as a whole, which no call of a plan should be."""
        try:
            return call()
        except CallRefusedError as refused:
            raise Refutation(
                self._slug_of_refusal(refused, submission),
                f"well-formed submissions ended with {refused}",
                "an answer for each of its operations",
                str(refused),
            ) from refused

    def _slug_of_refusal(self, refused: CallRefusedError, submission: Submission | None) -> str:
        if refused.reason == "STORE_CHANGED":
            return "store/id-survives-restart" if self.judge.shop.crash_count else "store/changed-refused"
        if refused.reason in _SLUGS_OF_REFUSALS:
            return _SLUGS_OF_REFUSALS[refused.reason]
        if submission is None:
            return "claim/token"
        return self.judge.expected_refusal(submission) or "answers/one-per-attempt"

    # The operator.

    def restart(self, step: steps.Restart) -> None:
        """The server is restarted."""
        del step
        if Means.KILL in self.stage.means:
            self.stage.restart()
            self._came_back(self.judge.restarted)

    def kill(self, step: steps.Kill) -> None:
        """The server is killed."""
        del step
        if Means.KILL in self.stage.means:
            self.stage.kill()
            self._came_back(self.judge.crashed)

    def _came_back(self, tell: Callable[[], None]) -> None:
        tell()
        self.shop.lift_limits()
        self.survey()

    def save_store(self, step: steps.SaveStore) -> None:
        """A backup is taken."""
        del step
        if Means.RESTORE in self.stage.means:
            self.stage.save()
            self.judge.store_saved("backup")
            self._saved = True

    def restore_store(self, step: steps.RestoreStore) -> None:
        """The backup is put back."""
        del step
        if self._saved:
            self.shop.lift_limits()
            self.stage.restore()
            self.judge.store_restored("backup")
            for device in self.devices.values():
                device.confirmed = 0
                device.revisions.clear()
            self.survey()

    # Reading.

    def read_cart(self, step: steps.ReadCart) -> None:
        """A device reads a cart."""
        device = self.device(step.device)
        if not self.judge.shop.answers(device.principal):
            return  # prices cannot be had; a server may refuse to answer
        queue_id = device.queue_id if step.with_queue else ""
        cart = self.stage.own_name(step.cart)
        observed = self.stage.cart(device.name, cart, queue_id)
        if observed is not None:
            self.judge.cart_read(observed, queue_id, device.principal)
            device.revisions[cart_place(cart, device.principal)] = observed.revision

    def read(self, step: steps.Read) -> None:
        """A device reads what its principal has apart from carts."""
        if _MEANS_OF[step.listing] not in self.stage.means:
            return
        device = self.device(step.device)
        queue_id, judge, principal = device.queue_id if step.with_queue else "", self.judge, device.principal
        match step.listing:
            case Listing.WISHLIST:
                wishes = self.stage.wishlist(device.name, queue_id)
                if wishes is not None:
                    judge.wishlist_read(wishes, queue_id, principal)
            case Listing.ADDRESS_BOOK:
                book = self.stage.addresses(device.name, queue_id)
                if book is not None:
                    judge.addresses_read(book, queue_id, principal)
                    device.revisions[Place(principal, Kind.ADDRESS_BOOK)] = book.revision
            case Listing.PAYMENT_METHODS:
                methods = self.stage.payment_methods(device.name, queue_id)
                if methods is not None:
                    judge.payment_methods_read(methods, queue_id, principal)

    def look_up(self, step: steps.LookUp) -> None:
        """A device looks up what was decided."""
        device, most = self.device(step.device), self.stage.limits.max_submission_operation_count
        beyond = len(device.operations) + 1
        for first in range(1, beyond + 1, most):
            last = min(beyond, first + most - 1)
            observed = self.stage.look_up(device.name, device.queue_id, first, last)
            if observed is not None:
                self.judge.looked_up(observed, first, last)

    def survey(self) -> None:
        """Read everything there is to read."""
        for device in list(self.devices.values()):
            self.look_up(steps.LookUp(device.name))
        for device in list(self.devices.values()):
            for cart in self._carts:
                self.read_cart(steps.ReadCart(device.name, cart))
            for listing in self._listings:
                self.read(steps.Read(device.name, listing))
        if Means.EFFECTS in self.stage.means:
            for principal in sorted({SOLE, *(device.principal for device in self.devices.values())}):
                self.judge.ledger_read(self.stage.effects(principal), principal)
        self.judge.state_seen()

    def settle(self) -> None:
        """Lift all trouble, let every device send all it has, and read everything."""
        if not self.judge.shop.answers():
            self.shop.backend(steps.Backend(True))
        self.shop.lift_limits()
        for device in list(self.devices.values()):
            self._drain(device)
        self.survey()

    def _drain(self, device: Device) -> None:
        everything = Send(device.name, first=1, batch=FULL_BATCH, twist=Twist.NONE)
        for submission in device.submissions(everything, self.stage.limits, self.stage.new_id):
            for _ in range(_PATIENCE):
                if self._answered(device, submission) is not None:
                    break
            else:
                duplicates = self.judge.is_decided(submission)
                undecided = self.judge.expected_refusal(submission) or "answers/one-per-attempt"
                raise Refutation(
                    "deciding/duplicates-first" if duplicates else undecided,
                    f"a submission of queue {device.name} got no answer {_PATIENCE} times in a row",
                    "an answer",
                    "none",
                )


def _carts_of(plan: Plan) -> list[str]:
    """The carts that a plan names."""
    named = {step.cart for step in plan.steps if isinstance(step, steps.Enqueue | steps.EnqueueCoupon | steps.ReadCart)}
    claims = [step for step in plan.steps if isinstance(step, steps.EnqueueClaim)]
    return sorted(named | {step.cart for step in claims} | {step.guest_cart for step in claims})


def _listings_of(plan: Plan) -> list[Listing]:
    """What a plan touches apart from carts."""
    touched = {_LISTING_OF[type(step)] for step in plan.steps if type(step) in _LISTING_OF}
    return sorted(touched | {step.listing for step in plan.steps if isinstance(step, steps.Read)})


_LISTING_OF: dict[type[Step], Listing] = {
    steps.EnqueueWish: Listing.WISHLIST,
    steps.EnqueueAddress: Listing.ADDRESS_BOOK,
    steps.EnqueueAddressDeletion: Listing.ADDRESS_BOOK,
    steps.EnqueuePayment: Listing.PAYMENT_METHODS,
}
_MEANS_OF = {
    Listing.WISHLIST: Means.WISHLIST,
    Listing.ADDRESS_BOOK: Means.ADDRESS_BOOK,
    Listing.PAYMENT_METHODS: Means.PAYMENT_METHODS,
}
_SLUGS_OF_REFUSALS = {
    "PRINCIPAL_MISMATCH": "identity/principal-stable",
    "CREDENTIAL_INVALID": "identity/principal-stable",
    ANSWERS_MISSING: "sync/half-close-drains",
    ANSWERS_TOO_MANY: "sync/one-answer-each",
}


def _of_the_shop(action: Callable[[ShopActions, Any], None]) -> Callable[[Play, Any], None]:
    return lambda play, step: action(play.shop, step)


_ACTIONS: dict[type[Step], Callable[[Play, Any], None]] = {
    steps.Enqueue: Play.enqueue,
    steps.EnqueueCoupon: Play.enqueue_other,
    steps.EnqueueWish: Play.enqueue_other,
    steps.EnqueueAddress: Play.enqueue_other,
    steps.EnqueueAddressDeletion: Play.enqueue_other,
    steps.EnqueuePayment: Play.enqueue_other,
    steps.EnqueueClaim: Play.enqueue_other,
    steps.Send: Play.send,
    steps.Race: Play.race,
    steps.Discard: Play.discard,
    steps.CopyQueue: Play.copy_queue,
    steps.SetOffer: _of_the_shop(ShopActions.set_offer),
    steps.SetPromotion: _of_the_shop(ShopActions.set_promotion),
    steps.SetToken: _of_the_shop(ShopActions.set_token),
    steps.CloseCart: _of_the_shop(ShopActions.close_cart),
    steps.AdvanceClock: _of_the_shop(ShopActions.advance_clock),
    steps.Backend: _of_the_shop(ShopActions.backend),
    steps.RateLimit: _of_the_shop(ShopActions.rate_limit),
    steps.Restart: Play.restart,
    steps.Kill: Play.kill,
    steps.SaveStore: Play.save_store,
    steps.RestoreStore: Play.restore_store,
    steps.ReadCart: Play.read_cart,
    steps.Read: Play.read,
    steps.LookUp: Play.look_up,
}
