"""What a judge is told, written down meanwhile, and told again from what was written down.

Whatever method of `Judge` returns nothing tells it something; what returns something asks it. So a kind of event that
is new in the oracle is written down without a word here.

Two things are not written as they are. The number that stands for a card number in plans has a name of its own, because
files hold no card numbers; and of what an outcome looked like on the wire there is a digest, for all that is asked of
it is whether two are equal. Claim tokens are secrets: each has a number instead.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from conformance.oracle.judging import Judge, Refutation, Witness
from conformance.oracle.observations import ObservedOutcome
from conformance.oracle.values import Limits
from conformance.plans.writing import CARD_NUMBER
from conformance.redaction import redacted_text
from conformance.rejudging.encoding import EncodingError, decode, encode

_CARD_NUMBER_NAME = "{test card number}"


def _told() -> dict[str, tuple[inspect.Signature, Mapping[str, Any]]]:
    found: dict[str, tuple[inspect.Signature, Mapping[str, Any]]] = {}
    for name, method in inspect.getmembers(Judge, inspect.isfunction):
        hints = typing.get_type_hints(method)
        if not name.startswith("_") and hints.get("return") is type(None):
            found[name] = (inspect.signature(method), hints)
    return found


TOLD = _told()
"""The methods by which a judge is told something, with their signatures and annotations."""


@dataclass
class Tale:
    """What one judge was told, as JSON values in the making."""

    limits: Limits
    entries: list[tuple[str, tuple[Any, ...], Mapping[str, Any]]] = field(default_factory=list)

    def as_json(self) -> tuple[dict[str, Any], bool]:
        """Limits and entries as JSON; and whether a card number had to be taken out, so that it is not the same."""
        words = _Words()
        told = [[name, self._arguments(name, args, kwargs, words)] for name, args, kwargs in self.entries]
        limits = {name: encode(getattr(self.limits, name), kind) for name, kind in _limit_fields().items()}
        return {"limits": limits, "told": told}, words.lossy

    def _arguments(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], words: _Words) -> dict[str, Any]:
        kinds = _arguments_of(name)
        several = next(iter(kinds)) if _takes_several(name) else ""
        given: dict[str, Any] = {several: args} if several else dict(zip(kinds, args, strict=False))
        if name == "claim_token_given":
            words.secret(given.get("token") or kwargs["token"])
        return {
            parameter: encode(_digested(value), kinds[parameter], words)
            for parameter, value in (*given.items(), *kwargs.items())
        }


@functools.cache
def _arguments_of(name: str) -> Mapping[str, Any]:
    """The parameters of one way to tell, with their annotations, in order."""
    signature, hints = TOLD[name]
    parameters = list(signature.parameters.values())[1:]
    many = inspect.Parameter.VAR_POSITIONAL
    return {p.name: _several(hints[p.name]) if p.kind is many else hints[p.name] for p in parameters}


@functools.cache
def _takes_several(name: str) -> bool:
    many = inspect.Parameter.VAR_POSITIONAL
    return any(parameter.kind is many for parameter in TOLD[name][0].parameters.values())


class _Words:
    """Writes a text so that it may be kept."""

    def __init__(self) -> None:
        self.lossy = False
        self._secrets: dict[str, str] = {}

    def secret(self, token: str) -> None:
        """From now on, a number stands for this text."""
        self._secrets.setdefault(token, f"recorded-claim-token-{len(self._secrets) + 1:04}")

    def __call__(self, text: str) -> str:
        if text in self._secrets:
            return self._secrets[text]
        named = text.replace(CARD_NUMBER, _CARD_NUMBER_NAME)
        kept = _kept(named)
        self.lossy |= kept != named
        return kept


@functools.lru_cache(maxsize=20_000)
def _kept(text: str) -> str:
    return redacted_text(text) if sum(map(str.isdecimal, text)) >= 13 else text


def _restored(text: str) -> str:
    return text.replace(_CARD_NUMBER_NAME, CARD_NUMBER)


def _digested(value: Any) -> Any:
    """The value with digests in place of encodings."""
    match value:
        case ObservedOutcome():
            return replace(value, verbatim=hashlib.sha256(value.verbatim).digest())
        case tuple() if hasattr(value, "_fields"):
            return value
        case tuple() | list():
            return tuple(map(_digested, value))
        case _ if hasattr(value, "results"):
            return replace(value, results=tuple(map(_digested, value.results)))
        case _ if hasattr(value, "statuses"):
            return replace(value, statuses=tuple(map(_digested, value.statuses)))
        case _ if hasattr(value, "outcome"):
            return replace(value, outcome=None if value.outcome is None else _digested(value.outcome))
        case _:
            return value


class RecordingJudge(Judge):
    """A judge that remembers all it was told."""

    def __init__(self, limits: Limits | None = None, witness: Witness | None = None) -> None:
        super().__init__(limits, *((witness,) if witness is not None else ()))
        self.tale = Tale(limits or Limits())
        self.refuted = False  # whether it said no
        self._telling = False  # what a judge tells itself meanwhile is no news


def _remembered(name: str) -> Callable[..., None]:
    original = getattr(Judge, name)

    @functools.wraps(original)
    def told(self: RecordingJudge, *args: Any, **kwargs: Any) -> None:
        if self._telling:
            original(self, *args, **kwargs)
            return
        self.tale.entries.append((name, args, kwargs))
        self._telling = True
        try:
            original(self, *args, **kwargs)
        except Refutation:
            self.refuted = True
            raise
        finally:
            self._telling = False

    return told


for _name in TOLD:
    setattr(RecordingJudge, _name, _remembered(_name))


def judge_again(limits: object, told: object, judge_kind: type[Judge] = Judge) -> Judge:
    """A new judge that was told all of a written tale; raises Refutation and TooManyWorldsError as it does.

    Raises EncodingError when the tale is none.
    """
    if not isinstance(limits, Mapping) or not isinstance(told, Sequence):
        raise EncodingError("the plan lacks its limits, or what was told of it")
    known = _limit_fields()
    if unknown := sorted(set(limits) - set(known)):
        raise EncodingError(f"limits has an unknown field {unknown[0]!r}")
    values = {name: decode(value, known[name], f"limits.{name}") for name, value in limits.items()}
    judge = judge_kind(Limits(**values))
    for index, entry in enumerate(told):
        _tell(judge, entry, f"told[{index}]")
    return judge


def _tell(judge: Judge, entry: object, place: str) -> None:
    if not isinstance(entry, Sequence) or len(entry) != 2 or not isinstance(entry[1], Mapping):
        raise EncodingError(f"{place} is no name with arguments")
    name, arguments = entry
    if name not in TOLD:
        raise EncodingError(f"{place} tells {name!r}, which this suite does not know")
    kinds = _arguments_of(name)
    if unknown := sorted(set(arguments) - set(kinds)):
        raise EncodingError(f"{place} has an unknown argument {unknown[0]!r}")
    named = {
        parameter: decode(content, kinds[parameter], f"{place}.{parameter}", _restored)
        for parameter, content in arguments.items()
    }
    positional = named.pop(next(iter(kinds)), ()) if _takes_several(name) else ()
    try:
        TOLD[name][0].bind(judge, *positional, **named)
    except TypeError as error:
        raise EncodingError(f"{place} lacks an argument: {error}") from error
    getattr(judge, name)(*positional, **named)


def _several(kind: Any) -> Any:
    return types.GenericAlias(tuple, (kind, ...))


@functools.cache
def _limit_fields() -> dict[str, Any]:
    return typing.get_type_hints(Limits)
