"""The set of possible worlds: answers that were lost fork it, evidence prunes it.

A submission whose answer was lost stays in flight in every world. It may have been processed wholly, up to some
operation, not at all, or it is a straggler that will be processed later; `closure` adds the worlds in which more of it
was. That ends, because an operation is decided once: what is behind the watermark, or has lost its place in the
chain, can change nothing any more and drops out. A crash ends what was in flight: it happened or it never will.

`play` puts submissions through the worlds, several at once in every interleaving of their operations (a race), and
keeps what agrees with all that was answered. What did not agree is returned with it, nearest first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from conformance.oracle.card_numbers import payload
from conformance.oracle.deciding import not_looked_at, step
from conformance.oracle.observations import ObservedResult
from conformance.oracle.values import Attempt, Submission
from conformance.oracle.world import Answer, InFlight, Kind, Shop, World

LIMIT = 4_000
"""So many worlds at once are no longer followed; the plan is then given up as undecidable, not judged."""


class TooManyWorldsError(Exception):
    """The unknown outcomes of a plan allow more worlds than can be followed."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One world's disagreement with what was observed. `stage` grows with how much agreed before it."""

    slug: str
    summary: str
    expected: str
    observed: str
    stage: int = 0
    kind: Kind = Kind.CART  # of the resource it is about
    due: str = ""  # the answer due in place of the one in `summary`; empty where `summary` says it all


@dataclass(frozen=True, slots=True)
class Part:
    """One submission in `play`. `results` None: the answer is not known, but all of it was processed."""

    submission: Submission
    results: tuple[ObservedResult, ...] | None


@dataclass(frozen=True, slots=True)
class Moment:
    """One right answer to one attempt in one world, beside the answer observed."""

    before: World
    after: World
    queue_id: str
    attempt: Attempt
    answer: Answer
    observed: ObservedResult


Matcher = Callable[[Moment], World | Mismatch]
"""Gives the world after, with what the observation told about it, or the disagreement."""


def closure(worlds: Iterable[World], shop: Shop) -> frozenset[World]:
    """The worlds, and those in which more of what is in flight was processed.

    Raises TooManyWorldsError above `LIMIT`.
    """
    found: set[World] = set()
    frontier = [_stripped(world, shop) for world in worlds]
    while frontier:
        world = frontier.pop()
        if world in found:
            continue
        found.add(world)
        if len(found) > LIMIT:
            raise TooManyWorldsError(f"more than {LIMIT} worlds are possible")
        for straggler in world.in_flight:
            attempt = straggler.submission.attempts[straggler.done]
            for answer, after in step(world, shop, straggler.submission.queue, attempt):
                if answer.outcome.state.final and not answer.replayed:
                    moved = (world.in_flight - {straggler}) | {replace(straggler, done=straggler.done + 1)}
                    frontier.append(_stripped(replace(after, in_flight=moved), shop))
    return frozenset(found)


def launched(worlds: Iterable[World], submission: Submission) -> frozenset[World]:
    """The worlds with one more submission in flight."""
    straggler = InFlight(submission)
    return frozenset(replace(world, in_flight=world.in_flight | {straggler}) for world in worlds)


def grounded(worlds: Iterable[World], shop: Shop) -> frozenset[World]:
    """The worlds after a crash: what was in flight happened, up to some operation, or never will."""
    return frozenset(replace(world, in_flight=frozenset()) for world in closure(worlds, shop))


def play(
    worlds: Iterable[World], shop: Shop, parts: Sequence[Part], matcher: Matcher
) -> tuple[frozenset[World], list[Mismatch]]:
    """The worlds after submissions that overlapped (or one alone), and the disagreements met on the way."""
    survivors: set[World] = set()
    mismatches: list[Mismatch] = []
    start = tuple((0, None) for _ in parts)
    frontier: list[tuple[World, tuple[tuple[int, Answer | None], ...]]]
    frontier = [(world, start) for world in closure(worlds, shop)]
    seen = set(frontier) if len(frontier) > 1 else set()
    while frontier:
        world, places = frontier.pop()
        done = True
        reached: list[tuple[World, tuple[tuple[int, Answer | None], ...]]] = []
        for index, (part, (place, stopper)) in enumerate(zip(parts, places, strict=True)):
            if place == len(part.submission.attempts):
                continue
            done = False
            attempt = part.submission.attempts[place]
            queue = part.submission.queue
            branches = ((not_looked_at(stopper), world),) if stopper else step(world, shop, queue, attempt)
            for answer, after in branches:
                known = after
                if part.results is not None:
                    matched = matcher(Moment(world, after, queue, attempt, answer, part.results[place]))
                    if isinstance(matched, Mismatch):
                        agreed = sum(place for place, _ in places)
                        mismatches.append(replace(matched, stage=matched.stage + 100 * agreed))
                        continue
                    known = matched
                stopped = stopper or (answer if answer.stops else None)
                moved = (*places[:index], (place + 1, stopped), *places[index + 1 :])
                possible = closure([known], shop) if known.in_flight else (known,)
                reached += [(one, moved) for one in possible]
        if len(reached) == 1 and not frontier:
            frontier = reached  # every state goes further, so the only one there is was never seen: no need to hash it
        else:
            for state in reached:
                if state not in seen:
                    seen.add(state)
                    frontier.append(state)
            if len(seen) > LIMIT * 4:
                raise TooManyWorldsError(f"more than {LIMIT * 4} interleavings are possible")
        if done:
            survivors.add(world)
    mismatches.sort(key=lambda mismatch: (-mismatch.stage, mismatch.slug))
    return frozenset(survivors), mismatches


def _stripped(world: World, shop: Shop) -> World:
    """The world without what is in flight and can change nothing any more."""
    if not world.in_flight:
        return world
    kept = {rest for straggler in world.in_flight if (rest := _rest(world, shop, straggler)) is not None}
    return replace(world, in_flight=frozenset(kept))


def _rest(world: World, shop: Shop, straggler: InFlight) -> InFlight | None:
    queue, attempts, done = world.queue(straggler.submission.queue), straggler.submission.attempts, straggler.done
    while done < len(attempts) and attempts[done].operation.sequence <= queue.watermark:
        operation = attempts[done].operation
        record = queue.records[operation.sequence - 1]
        same = record.operation.key == operation.key and record.payload == payload(shop.limits, attempts[done])
        if not same and not shop.may_be_pruned(record):
            return None  # a conflict stops the rest of it
        done += 1
    if done == len(attempts):
        return None
    following = attempts[done].operation
    if following.sequence == queue.watermark + 1 and following.previous_key != queue.last_key:
        return None
    return straggler if done == straggler.done else replace(straggler, done=done)
