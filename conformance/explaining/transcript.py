"""A story as commands for a shell: somebody without the suite can see with `buf curl` or `grpcurl` what it found.

Only a story of a few unary calls one after the other can be told so: a lost answer, a kill, a stream or a race cannot.
Identifiers are those of the run, so a server that has not seen the story answers as it did then; the answers that the
suite got stand below each call as a comment. No secret is in it: credentials are variables of the shell.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict

from conformance.wire import Event, Lane, TargetOptions

MOST_CALLS = 12
_SERVICE = "cartsync.v1."
_UNARY = frozenset(
    {
        "SubmitOperations",
        "GetCart",
        "LookupOutcomes",
        "GetSyncPolicy",
        "ListWishlist",
        "ListAddresses",
        "ListPaymentMethods",
    }
)
_BESIDE_THE_POINT = frozenset({"Describe", "ReleaseFailPoints"})
_HIDDEN = "(not shown)"  # stands where a secret was, without which a call cannot be made again
_HEAD = """\
# {title}
# Needs buf (https://buf.build) or grpcurl, and a server that has not seen this story.
TARGET={target}
CONTROL={control}
call() {{    # call CREDENTIAL METHOD BODY
  buf curl --protocol grpc --http2-prior-knowledge --header "authorization: $1" --data "$3" "http://$TARGET/$2"
  # grpcurl -plaintext -H "authorization: $1" -d "$3" "$TARGET" "$2"
}}
control() {{ # control METHOD BODY
  buf curl --protocol grpc --http2-prior-knowledge --header "cartsync-control-secret: $CARTSYNC_CONTROL_SECRET" \\
    --data "$2" "http://$CONTROL/cartsync.conformance.v1.ControlService/$1"
  # grpcurl -plaintext -H "cartsync-control-secret: $CARTSYNC_CONTROL_SECRET" -d "$2" "$CONTROL" \\
  #   "cartsync.conformance.v1.ControlService/$1"
}}
# A server without reflection: put --schema proto (buf) or -import-path proto -proto cartsync/v1/service.proto before
# the address, with the folder proto of Cartsync.
"""


def transcript(slug: str, events: Sequence[Event], *, launched: bool, target: TargetOptions) -> str:
    """The commands that show what `events` show; empty when a few unary calls cannot.

    `events` are redacted and in order. Stories about the store's id are told with it and work nowhere else, so they are
    not told.
    """
    steps = [event for event in events if _is_a_step(event)]
    if slug.startswith("store/") or not _can_be_told(events):
        return ""
    calls = [event for event in steps if event.wire is not None and event.wire.direction == "sent"]
    needed = [event for event in calls if _method(event) not in ("IssueCredential", *_BESIDE_THE_POINT)]
    if not 0 < len(needed) <= MOST_CALLS or not any(event.lane is Lane.DEVICE for event in needed):
        return ""
    credentials = _credentials(needed)
    told = [_head(slug, launched=launched, target=target)]
    for principal, variable in credentials.items():
        told.append(_credential(principal, variable, _is_guest(calls, principal), has_control=_has_control(calls)))
    for index, event in enumerate(steps):
        if event in needed:
            told.append(_call(event, credentials) + _answer(event, steps[index + 1 :]))
    return "\n\n".join(told) + "\n"


def _is_a_step(event: Event) -> bool:
    return event.wire is not None


def _can_be_told(events: Sequence[Event]) -> bool:
    """Whether everything that happened is a unary call that was answered before the next one, and holds no secret."""
    waiting = ""
    for event in events:
        if event.lane is Lane.NETWORK:
            return False
        if event.wire is None:
            if event.lane is not Lane.SHOP:
                return False  # a kill, a half-close, the end of a stream
            continue
        if event.lane is Lane.SHOP:
            armed = _method(event) in ("SetFailPoint", "AwaitHeld", "SaveStore", "RestoreStore", "AdvanceClock")
            if armed and _method(event) != "AdvanceClock":
                return False
        elif event.wire.direction == "sent":
            if waiting or _method(event) not in _UNARY or event.message is None:
                return False
            waiting = event.wire.method
        elif event.wire.method != waiting:
            return False
        else:
            waiting = ""
        if _method(event) != "IssueCredential" and event.message is not None and _HIDDEN in str(event.message):
            return False
    return True


def _method(event: Event) -> str:
    return event.wire.method.rpartition("/")[2] if event.wire is not None else ""


def _has_control(calls: Sequence[Event]) -> bool:
    return any(event.lane is Lane.SHOP for event in calls)


def _is_guest(calls: Sequence[Event], principal: str) -> bool:
    issued = [_body(event) for event in calls if _method(event) == "IssueCredential"]
    return any(request.get("principal") == principal and request.get("guest") for request in issued)


def _credentials(calls: Sequence[Event]) -> dict[str, str]:
    """A variable of the shell for each credential, in the order they are used."""
    used = dict.fromkeys(e.wire.credential for e in calls if e.wire is not None and e.lane is Lane.DEVICE)
    names = [name for name in used if name]
    return {name: "CARTSYNC_CREDENTIAL" + (f"_{number}" if number > 1 else "") for number, name in enumerate(names, 1)}


def _head(slug: str, *, launched: bool, target: TargetOptions) -> str:
    address = "127.0.0.1:7443" if launched or not target.target else target.target
    control = "127.0.0.1:7444" if launched or not target.control else target.control
    hint = "  # where your server listens" if launched else ""
    return _HEAD.format(
        title=f"{slug}, shown without the suite.",
        target=shlex.quote(address) + hint,
        control=shlex.quote(control) + ("  # and its control service" if launched else ""),
    ).rstrip()


def _credential(principal: str, variable: str, guest: bool, *, has_control: bool) -> str:
    if not has_control:
        return f"# {variable} holds the authorization metadata of a principal of yours, for example: Bearer …"
    body = shlex.quote(_compact({"principal": principal, **({"guest": True} if guest else {})}))
    cut = 'sed -n \'s/.*"authorization": *"\\([^"]*\\)".*/\\1/p\''
    return f"{variable}=$(control IssueCredential {body} | {cut})"


def _call(event: Event, credentials: dict[str, str]) -> str:
    body = shlex.quote(_compact(_body(event)))
    assert event.wire is not None
    if event.lane is Lane.SHOP:
        return f"control {_method(event)} {body}"
    variable = credentials.get(event.wire.credential)
    return f'call "{f"${variable}" if variable else ""}" {event.wire.method} {body}'


def _answer(event: Event, following: Sequence[Event]) -> str:
    """What the suite was answered, as comments below the call."""
    if event.lane is Lane.SHOP:
        answer = event.wire.answer if event.wire is not None else None
        told = _compact(MessageToDict(answer)) if answer is not None else ""
        return f"\n#   {told}" if told not in ("", "{}") else ""
    heard = next((e for e in following if e.wire is not None and e.wire.direction == "received"), None)
    if heard is None or heard.wire is None:
        return "\n#   no answer came"
    mark = "here it went wrong:\n#   " if heard.culprit else ""
    if heard.wire.status is not None:
        told = f"{heard.wire.status.code}: {' '.join(heard.wire.status.message.split())}"
        details = [MessageToDict(detail) for detail in heard.wire.status.details]
        return "".join((f"\n#   {mark}{told}", *(f"\n#   {_compact(detail)}" for detail in details)))
    return f"\n#   {mark}{_compact(MessageToDict(heard.message))}" if heard.message is not None else ""


def _body(event: Event) -> dict[str, Any]:
    """The request, without the id of the store: another server has another one, and empty means "none seen yet"."""
    if event.message is None:
        return {}
    body = MessageToDict(event.message)
    body.pop("storeId", None)
    return dict(body)


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
