"""The judge: told what the suite did and what the server answered, it keeps the possible worlds and says no.

Tell it every event in the order it happened. An observation leaves fewer worlds, or none: then `Refutation` carries
the disagreement of the world that came nearest, and names the requirement it breaks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from conformance.oracle import listings, matching, reading
from conformance.oracle.attribution import Context
from conformance.oracle.deciding import step
from conformance.oracle.observations import (
    ObservedAddressBook,
    ObservedAnswer,
    ObservedCart,
    ObservedEffect,
    ObservedLookup,
    ObservedPaymentMethods,
    ObservedWishlist,
)
from conformance.oracle.values import CardDetails, Limits, Offer, Promotion, State, Submission
from conformance.oracle.world import SOLE, Kind, Place, Scope, Shop, World, initial
from conformance.oracle.worlds import Mismatch, Moment, Part, closure, grounded, launched, play


class Refutation(Exception):  # noqa: N818 - it is a finding, not an error
    """No possible world agrees with what was observed."""

    def __init__(self, slug: str, summary: str, expected: str = "", observed: str = "") -> None:
        super().__init__(f"{slug}: {summary} (expected {expected}; observed {observed})")
        self.slug = slug
        self.summary = summary
        self.expected = expected
        self.observed = observed


_SHOW_A_RACE = frozenset(
    {
        "effects/exactly-once",
        "deciding/replay-verbatim",
        "deciding/replayed-flag",
        "deciding/duplicates-first",
        "revision/increases",
        "revision/judged-at",
    }
)
"""What a lost race looks like when it is taken for one submission after the other."""


_RACES_OF = {
    Kind.WISHLIST: ("wishlist/concurrent", "wishlist/revision"),
    Kind.ADDRESS_BOOK: ("address/concurrent", "address/revision"),
    Kind.PAYMENT_METHODS: ("payment/concurrent", "payment/revision"),
}
"""What a race of queues breaks in what is no cart, and what else it may look like."""


def _least_watermark(answer: ObservedAnswer) -> int:
    """The watermark that covers every final outcome of an answer."""
    finals = [r.outcome.sequence for r in answer.results if matching.is_final(r.outcome.state)]
    return max(finals, default=0)


def _unobserved(moment: Moment) -> World:
    """A matcher for playing without observing."""
    return moment.after


@dataclass(frozen=True, slots=True)
class Judgement:
    """Something that was judged and found right: by which requirement, and how things stood when it was asked for.

    `moment` is the attempt that was answered, in one of the worlds that agree; None for a reading. `undecided`: more
    than one world was possible.
    """

    requirement: str
    queue_id: str  # empty for what was read without one
    shop: Shop
    context: Context
    moment: Moment | None = None
    undecided: bool = False


Witness = Callable[[Judgement], None]
"""Told of every judgement that went well."""


def _unwitnessed(judgement: Judgement) -> None:
    """Nobody wants to know."""


class Judge:
    """The possible worlds of one principal, or of an account and its guests, and the shop around them.

    Principals go by names of the plan's own; the one that needs no naming is `SOLE`.
    """

    def __init__(self, limits: Limits | None = None, witness: Witness = _unwitnessed) -> None:
        self.worlds: frozenset[World] = frozenset({initial()})
        self.shop = Shop(limits or Limits())
        self.context = Context()
        self.judged_count = 0  # operations whose outcome was judged
        self._saved: dict[str, frozenset[World]] = {}
        self._witness = witness

    # What the suite arranges.

    def offer_put(self, sku: str, offer: Offer) -> None:
        """An offer is in force."""
        self._close()
        self.shop = self.shop.with_offer(sku, offer)

    def promotion_put(self, code: str, promotion: Promotion | None) -> None:
        """A promotion is in force; None: withdrawn."""
        self._close()
        self.shop = self.shop.with_promotion(code, promotion)

    def card_told(self, provider: str, token: str, card: CardDetails | None) -> None:
        """The payment provider was told of a token; None: it no longer stands by it."""
        self._close()
        self.shop = self.shop.with_card(provider, token, card)

    def queue_opened(self, queue_id: str, principal: str) -> None:
        """A queue is a principal's; one that nobody told of is SOLE's."""
        self.shop = self.shop.with_owner(queue_id, principal)

    def claim_token_given(self, token: str, guest: str) -> None:
        """A guest was given a claim token."""
        self.shop = self.shop.with_claim_token(token, guest)

    def backend_set(self, available: bool, principal: str = SOLE) -> None:
        """Backing services answer a principal, or do not."""
        self._close()
        away = self.shop.away - {principal} if available else self.shop.away | {principal}
        self.shop = replace(self.shop, away=away)

    def rate_limited(self, remaining: int | None, principal: str = SOLE, scope: Scope = Scope.ALL) -> None:
        """A rate limit is in force; None lifts it."""
        self._close()
        self.worlds = frozenset(world.with_allowance(principal, scope, remaining) for world in self.worlds)

    def cart_closed(self, cart_id: str, found: bool, principal: str = SOLE) -> None:
        """The shop closed a cart, or was told that no add has made it."""
        self._close()
        fitting = {world for world in self.worlds if world.cart(cart_id, principal).exists is found}
        if not fitting:
            story = "succeeded although no add has made it" if found else "failed although an add has made it"
            raise Refutation(
                self.context.trouble or "cart/made-by-first-add",
                f"closing cart {cart_id} {story}",
                "NOT_FOUND" if found else "the cart is there",
                "OK" if found else "NOT_FOUND",
            )
        place = Place(principal, Kind.CART, cart_id)
        self.worlds = frozenset(
            world.with_resource(place, world.cart(cart_id, principal).after_closing()) if found else world
            for world in fitting
        )

    def clock_advanced(self, seconds: float) -> None:
        """The server's clock was moved."""
        self._close()
        self.shop = replace(self.shop, now=self.shop.now + seconds)
        self.context = replace(self.context, clock_moved=True)

    def crashed(self) -> None:
        """The server was killed and is back."""
        self._down("kill")

    def restarted(self) -> None:
        """The server was stopped in good order and is back."""
        self._down("restart")

    def store_saved(self, name: str) -> None:
        """The store was saved."""
        self._close()
        self._saved[name] = frozenset(replace(world, in_flight=frozenset()) for world in self.worlds)

    def store_restored(self, name: str) -> None:
        """The store was put back; what carries the old store's id can no longer be decided."""
        allowances = {world.allowances for world in self.worlds}
        kept = allowances.pop() if len(allowances) == 1 else ()
        self.worlds = frozenset(replace(world, allowances=kept) for world in self._saved[name])
        self.context = replace(Context(), restored=True, clock_moved=self.context.clock_moved)

    # What the server answered.

    def answered(self, submission: Submission, answer: ObservedAnswer, *, overlapping: bool = False) -> None:
        """One submission was answered. `overlapping`: more of the same stream may already have been decided."""
        self._check_shape(submission, answer)
        before = self.worlds
        self._play([Part(submission, answer.results)])
        if not overlapping or answer.watermark < _least_watermark(answer):
            self._watermark(submission, answer, exact=not self._may_overlap(before))
        self._remember(submission, answer)
        self._calm()

    def raced(self, *parts: tuple[Submission, ObservedAnswer | None]) -> None:
        """Submissions overlapped; those without an answer stay in flight."""
        queues = {submission.queue for submission, _ in parts}
        self.context = replace(self.context, race="duplicates" if len(queues) == 1 else "queues")
        played: list[Part] = []
        for submission, answer in parts:
            if answer is None:
                self.lost(submission)
                continue
            self._check_shape(submission, answer)
            played.append(Part(submission, answer.results))
        self._play(played)
        for submission, answer in parts:
            if answer is not None:
                self._watermark(submission, answer, exact=False)
                self._remember(submission, answer)

    def lost(self, submission: Submission) -> None:
        """A submission was sent and its answer lost: it was processed, or will be, or partly, or never."""
        self.worlds = closure(launched(self.worlds, submission), self.shop)
        self.context = replace(self.context, lost=True)

    def processed(self, submission: Submission) -> None:
        """All of a submission was made durable, and its answer lost."""
        self._play([Part(submission, None)])
        self.context = replace(self.context, lost=True)

    def cart_read(self, observed: ObservedCart, queue_id: str = "", principal: str = SOLE) -> None:
        """A snapshot was read, with the watermark of `queue_id` unless that is empty."""
        self._observe(
            "snapshot/content",
            queue_id,
            lambda world: reading.cart(self.shop, self.context, world, queue_id, observed, principal),
        )

    def wishlist_read(self, observed: ObservedWishlist, queue_id: str = "", principal: str = SOLE) -> None:
        """All of a wishlist was read, while nothing happened to it."""
        self._observe(
            "wishlist/paging",
            queue_id,
            lambda world: listings.wishlist(self.context, world, queue_id, observed, principal),
        )

    def addresses_read(self, observed: ObservedAddressBook, queue_id: str = "", principal: str = SOLE) -> None:
        """An address book was read."""
        self._observe(
            "address/listing",
            queue_id,
            lambda world: listings.address_book(self.context, world, queue_id, observed, principal),
        )

    def payment_methods_read(self, observed: ObservedPaymentMethods, queue_id: str = "", principal: str = SOLE) -> None:
        """Payment methods were read."""
        self._observe(
            "payment/listing",
            queue_id,
            lambda world: listings.payment_methods(self.context, world, queue_id, observed, principal),
        )

    def looked_up(self, observed: ObservedLookup, first: int, last: int) -> None:
        """Outcomes of `first` to `last` were looked up."""
        sequences = [status.sequence for status in observed.statuses]
        if sequences != list(range(first, last + 1)):
            raise Refutation(
                "lookup/statuses",
                "a look-up does not answer each sequence of the range, ascending",
                f"{first} to {last}",
                ", ".join(map(str, sequences)),
            )
        self._observe(
            "lookup/statuses",
            observed.queue,
            lambda world: reading.lookup(self.shop, self.context, world, observed),
        )

    def ledger_read(self, effects: Sequence[ObservedEffect], principal: str = SOLE) -> None:
        """The ledger of a principal's effects was read."""
        self._observe(
            "effects/exactly-once",
            "",
            lambda world: reading.ledger(self.context, world, effects, principal),
        )

    def state_seen(self) -> None:
        """All resources and queues were read after whatever happened: what comes next is not its doing."""
        self.context = replace(self.context, crash="", race="", restored=False, lost=False)

    # What an executor asks.

    def watermarks(self, queue_id: str) -> frozenset[int]:
        """The watermarks a queue may have now, stragglers included."""
        return frozenset(world.queue(queue_id).watermark for world in closure(self.worlds, self.shop))

    @property
    def has_stragglers(self) -> bool:
        """Whether something may still be on its way."""
        return any(world.in_flight for world in self.worlds)

    def is_decided(self, submission: Submission) -> bool:
        """Whether everything in the submission was decided before, in every possible world."""
        last = max(attempt.operation.sequence for attempt in submission.attempts)
        return min(self.watermarks(submission.queue)) >= last

    def expected_refusal(self, submission: Submission) -> str:
        """The requirement by which an operation of the submission should have been refused; empty for none."""
        world = min(closure(self.worlds, self.shop), key=repr)
        for attempt in submission.attempts:
            answer, world = step(world, self.shop, submission.queue, attempt)[0]
            if not answer.replayed and answer.outcome.state is not State.APPLIED:
                return answer.outcome.rule
        return ""

    def surely_commits(self, submission: Submission) -> bool:
        """Whether the submission decides something new in every possible world."""
        for world in closure(self.worlds, self.shop):
            after, _ = play([world], self.shop, [Part(submission, None)], _unobserved)
            queue = submission.queue
            if any(w.queue(queue).watermark == world.queue(queue).watermark for w in after):
                return False
        return True

    # Inside.

    def _close(self) -> None:
        self.worlds = closure(self.worlds, self.shop)

    def _down(self, how: str) -> None:
        self.worlds = grounded(self.worlds, self.shop)
        self.shop = replace(self.shop, crash_count=self.shop.crash_count + 1)
        self.context = replace(self.context, crash=how)

    def _may_overlap(self, worlds: frozenset[World]) -> bool:
        return any(world.in_flight for world in worlds | self.worlds)

    def _play(self, parts: Sequence[Part]) -> None:
        agreed: dict[int, Moment] = {}  # by the result that was observed, of which each is an object of its own

        def matcher(moment: Moment) -> World | Mismatch:
            found = matching.result(self.shop, self.context, moment)
            if isinstance(found, World):
                agreed[id(moment.observed)] = moment
            return found

        undecided = len(self.worlds) > 1
        survivors, mismatches = play(self.worlds, self.shop, parts, matcher)
        if not survivors:
            raise self._refuted(mismatches)
        for moment in agreed.values():
            rule = "deciding/replay-verbatim" if moment.answer.replayed else moment.answer.outcome.rule
            self._witness(Judgement(rule, moment.queue_id, self.shop, self.context, moment, undecided))
        self.worlds = survivors
        self.judged_count += sum(len(part.submission.attempts) for part in parts if part.results is not None)

    def _observe(self, slug: str, queue_id: str, match: Callable[[World], World | Mismatch]) -> None:
        undecided = len(self.worlds) > 1
        matched = [match(world) for world in closure(self.worlds, self.shop)]
        survivors = frozenset(world for world in matched if isinstance(world, World))
        if not survivors:
            mismatches = [mismatch for mismatch in matched if isinstance(mismatch, Mismatch)]
            mismatches.sort(key=lambda mismatch: (-mismatch.stage, mismatch.slug))
            raise self._refuted(mismatches)
        self._witness(Judgement(slug, queue_id, self.shop, self.context, undecided=undecided))
        self.worlds = survivors

    def _refuted(self, mismatches: Sequence[Mismatch]) -> Refutation:
        nearest = mismatches[0]
        slug = nearest.slug
        if self.context.race and slug in _SHOW_A_RACE:
            slug = f"effects/concurrent-{self.context.race}"
        if self.context.race == "queues" and slug in ("effects/concurrent-queues", *_RACES_OF.get(nearest.kind, ())):
            slug = _RACES_OF.get(nearest.kind, (slug,))[0]
        due = {mismatch.due for mismatch in mismatches}
        summary = (
            f"{nearest.summary}, where {nearest.due} was due" if nearest.due and len(due) == 1 else nearest.summary
        )
        return Refutation(slug, summary, nearest.expected, nearest.observed)

    def _check_shape(self, submission: Submission, answer: ObservedAnswer) -> None:
        """spec: answers/one-per-attempt, answers/watermark"""
        wanted = [attempt.operation.sequence for attempt in submission.attempts]
        observed = [result.outcome.sequence for result in answer.results]
        if wanted != observed:
            raise Refutation(
                "answers/one-per-attempt",
                f"{len(wanted)} operations were sent and {len(observed)} results came back, not one for each in order",
                f"sequences {', '.join(map(str, wanted))}",
                f"sequences {', '.join(map(str, observed)) or 'none'}",
            )
        if answer.queue != submission.queue:
            raise Refutation("answers/watermark", "an answer names another queue", submission.queue, answer.queue)

    def _watermark(self, submission: Submission, answer: ObservedAnswer, *, exact: bool) -> None:
        """spec: answers/watermark"""
        least = _least_watermark(answer)
        reached = {world.queue(submission.queue).watermark for world in closure(self.worlds, self.shop)}
        wrong = answer.watermark < least or answer.watermark > max(reached)
        if exact:
            wrong = answer.watermark not in reached
        if wrong:
            raise Refutation(
                self._watermark_slug(answer),
                f"an answer carries watermark {answer.watermark}",
                " or ".join(str(watermark) for watermark in sorted(reached)),
                str(answer.watermark),
            )

    def _watermark_slug(self, answer: ObservedAnswer) -> str:
        stuck = next((r.outcome for r in answer.results if r.outcome.sequence == answer.watermark + 1), None)
        rejected = stuck is not None and stuck.state is State.REJECTED
        return "deciding/rejection-advances" if rejected else "answers/watermark"

    def _remember(self, submission: Submission, answer: ObservedAnswer) -> None:
        places = [(submission.queue, result.outcome.sequence) for result in answer.results]
        states = [result.outcome.state for result in answer.results]
        paired = list(zip(places, states, strict=True))
        self.context = replace(
            self.context,
            deferred=self.context.deferred | {place for place, state in paired if state is State.DEFERRED},
            conflicted=self.context.conflicted | {place for place, state in paired if state is State.CONFLICT},
        )

    def _calm(self) -> None:
        """A race is over once something else was answered in good order."""
        self.context = replace(self.context, race="")
