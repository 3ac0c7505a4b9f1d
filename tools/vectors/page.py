"""The appendix of worked examples, laid out for people: docs/spec/19-worked-examples.md.

Each exchange is told there in one line a message, and in full on a page of its own. The bytes are in the files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from conformance.requirements import Register
from tools.vectors.files import Vectors
from tools.vectors.notation import Entry, layout

_LINE = "<br>"  # inside a cell of a table
_INTRODUCTION = Path(__file__).with_name("introduction.md")


def pages(vectors: Vectors, register: Register) -> dict[str, str]:
    """The appendix and one page for each exchange, by their paths below docs/spec."""
    chapters = {slug: requirement.chapter for slug, requirement in register.by_slug.items()}
    told = {f"vectors/exchanges/{name}.md": _in_full(name, vector) for name, vector in vectors.exchanges.items()}
    told["19-worked-examples.md"] = "\n".join(
        [
            _INTRODUCTION.read_text(encoding="utf-8"),
            *(
                line
                for name, vector, heading in _by_subject(vectors)
                for line in _exchange(name, vector, heading, chapters)
            ),
            "## Single messages",
            "",
            *_singles(vectors.messages, chapters),
        ]
    )
    return told


def _by_subject(vectors: Vectors) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """Each exchange, with the heading that goes before it: its subject, once."""
    subject = ""
    for name, vector in vectors.exchanges.items():
        yield name, vector, vector["subject"] if vector["subject"] != subject else ""
        subject = vector["subject"]


def _exchange(name: str, vector: Mapping[str, Any], heading: str, chapters: Mapping[str, str]) -> Iterator[str]:
    if heading:
        yield f"## {heading}"
        yield ""
    yield f"### {vector['title']}"
    yield ""
    yield vector["shows"]
    yield ""
    yield f"[In full](vectors/exchanges/{name}.md) · [vector](vectors/exchanges/{name}.json) · `{vector['profile']}`"
    yield f"· {_slugs(vector['requirements'], chapters)}"
    yield ""
    yield "| | message | |"
    yield "|---|---|---|"
    for arrow, what, note in (row for step in vector["steps"] for row in _rows(step)):
        yield f"| {arrow} | {what} | {note} |"
    yield ""


def _slugs(slugs: list[str], chapters: Mapping[str, str]) -> str:
    return ", ".join(f"[`{slug}`]({chapters[slug]})" if slug in chapters else f"`{slug}`" for slug in slugs)


def _rows(step: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Arrow, what it says in a line, note: one row for each message of a step."""
    note = step.get("note", "")
    if "arrange" in step:
        yield "⚙", f"{step['arrange']} {_values(step['request']['json'])}", note
    elif "call" in step:
        caller = step["as"] or "nobody"
        yield "→", f"{caller}: `{step['call'].rpartition('/')[2]}` {_told(step['request'])}", note
        yield "←", _answer(step), ""
    else:
        yield "⇄", f"{step['as']} opens `{step['stream'].rpartition('/')[2]}`", note
        for message in step["messages"]:
            if "meanwhile" in message:
                yield from _rows(message["meanwhile"])
            elif message["from"] == "client":
                told = "half-closes" if "halfClose" in message else "cuts the stream"
                yield "→", _told(message["message"]) if "message" in message else told, message.get("note", "")
            else:
                yield "←", _answer(message), message.get("note", "")


def _answer(told: Mapping[str, Any]) -> str:
    if "status" not in told:
        return _told(told.get("response") or told["message"])
    status = told["status"]
    details = status.get("details", {"json": {}})["json"].get("details", ())
    reasons = [detail["reason"] for detail in details if "reason" in detail]
    fields = [v["field"] for detail in details for v in detail.get("fieldViolations", ())]
    named = " / ".join([f"`{status['code']}`", *(f"`{reason}`" for reason in reasons)])
    return f"{named}: {', '.join(f'`{field}`' for field in fields)}" if fields else named


def _told(entry: Entry) -> str:
    """One line on what a message says."""
    content = entry["json"]
    for envelope in ("hello", "submit", "welcome", "outcomes"):
        if entry["type"].endswith(("SyncRequest", "SyncResponse")) and envelope in content:
            return f"{envelope.capitalize()} {_content(content[envelope])}".strip()
    extra = "with fields of a newer version" if entry.get("unknownFields") else ""
    return f"{_content(content)} {extra}".strip()


def _content(content: Mapping[str, Any]) -> str:
    if "attempts" in content:
        return _LINE.join(_operation(attempt) for attempt in content["attempts"])
    if "results" in content:
        results = [_result(result) for result in content["results"]]
        return _LINE.join([*results, f"watermark {_watermark(content)}"])
    if "statuses" in content:
        return _LINE.join(_status(status) for status in content["statuses"])
    if "cart" in content:
        return _cart(content["cart"]) + (f"; watermark {_watermark(content)}" if "queue" in content else "")
    if "policy" in content:
        return f"the policy{'; watermark ' + _watermark(content) if 'queue' in content else ''}"
    shown = {key: value for key, value in content.items() if key not in ("storeId", "queueId", "expectedPrincipal")}
    return _values(shown)


def _watermark(content: Mapping[str, Any]) -> str:
    return str(content["queue"].get("decidedThroughSequence", "0"))


def _operation(attempt: Mapping[str, Any]) -> str:
    operation = attempt.get("operation", {})
    envelope = ("idempotencyKey", "sequence", "previousKey", "enqueueTime", "sessionContext", "requiredFeatures")
    kind = next((key for key in operation if key not in envelope), "")
    name = kind[:1].upper() + kind[1:] if kind else "nothing known"
    return f"{operation.get('sequence', '?')}: {name}{_wanted(operation.get(kind, {}))}"


def _wanted(intent: Mapping[str, Any]) -> str:
    """What of an intent is worth a glance: how many of what."""
    told = next((str(intent[key]) for key in ("quantity", "delta") if key in intent), "")
    told = f"+{told}" if "delta" in intent and not told.startswith("-") else told
    of = next((str(intent[key]) for key in ("sku", "couponCode", "discardedKey") if key in intent), "")
    return "".join(f" {part}" for part in (f"{told} ×" if told else "", of) if part)


def _result(result: Mapping[str, Any]) -> str:
    outcome = result["outcome"]
    told = _state(outcome)
    if "revision" in outcome:
        told += f", revision {outcome['revision']}"
    if outcome.get("changed"):
        told += ", changed"
    return f"{outcome.get('sequence', '?')}: {told}{', replayed' if result.get('replayed') else ''}"


def _state(outcome: Mapping[str, Any]) -> str:
    state = str(outcome.get("state", "")).removeprefix("OUTCOME_STATE_")
    adjusted = [next(iter(adjustment), "") for adjustment in outcome.get("adjustments", ())]
    told = " with ".join([state, *adjusted])
    if "refusal" in outcome:
        told += " / " + str(outcome["refusal"].get("reason", "")).removeprefix("REASON_")
    return f"`{told}`"


def _status(status: Mapping[str, Any]) -> str:
    told = str(status.get("decidedness", "")).removeprefix("DECIDEDNESS_").lower()
    outcome = f" {_state(status['outcome'])}" if "outcome" in status else ""
    return f"{status.get('sequence', '?')}: {told}{outcome}"


def _cart(cart: Mapping[str, Any]) -> str:
    lines = ", ".join(f"{line['quantity']} × {line['sku']}" for line in cart.get("lines", ())) or "empty"
    coupons = "".join(f", {_coupon(coupon)}" for coupon in cart.get("coupons", ()))
    worth = f", {_flat(cart['total'])} in all" if "total" in cart else ""
    closed = ", closed" if cart.get("state") == "CART_STATE_CLOSED" else ""
    return f"{lines}{coupons}{worth}, revision {cart.get('revision', '0')}{closed}"


def _coupon(coupon: Mapping[str, Any]) -> str:
    standing = str(coupon.get("standing", "")).removeprefix("COUPON_STANDING_")
    takes = f" takes {_flat(coupon['discount'])}" if "discount" in coupon else ""
    return f"{coupon.get('couponCode', '')} `{standing}`{takes}"


def _values(content: Mapping[str, Any]) -> str:
    flat = ", ".join(f"{key} {_flat(value)}" for key, value in content.items())
    return flat.replace("|", "\\|")


def _flat(value: Any) -> str:
    match value:
        case {"currencyCode": currency, **rest}:
            return f"{rest.get('minorUnits', '0')} {currency}"
        case dict():
            return f"({_values(value)})"
        case list():
            return f"[{', '.join(map(_flat, value))}]"
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def _in_full(name: str, vector: Mapping[str, Any]) -> str:
    head = f"# {vector['title']}\n\n{vector['shows']}\n\nGenerated by `make docs` from [`{name}.json`]({name}.json); "
    head += "the [appendix](../../19-worked-examples.md) has it in short.\n"
    steps = (line for step in vector["steps"] for line in _step_in_full(step, with_policy=name == "policy"))
    return "\n".join([head, *steps]).rstrip("\n") + "\n"


def _step_in_full(step: Mapping[str, Any], *, with_policy: bool) -> Iterator[str]:
    by = f" by {step['as']}" if step.get("as") else ""
    if "note" in step:
        yield f"*{step['note']}*"
        yield ""
    if "arrange" in step:
        yield from _block(f"Arranged, {step['arrange']}", step["request"], with_policy)
    elif "call" in step:
        yield from _block(f"Call {step['call'].rpartition('/')[2]}{by}", step["request"], with_policy)
        yield from _answered(step, with_policy)
    else:
        yield f"A stream of {step['stream'].rpartition('/')[2]}{by}."
        yield ""
        for message in step["messages"]:
            yield from _message_in_full(message, with_policy)


def _message_in_full(message: Mapping[str, Any], with_policy: bool) -> Iterator[str]:
    if "note" in message:
        yield f"*{message['note']}*"
        yield ""
    if "meanwhile" in message:
        yield from _step_in_full(message["meanwhile"], with_policy=with_policy)
    elif message["from"] == "server":
        yield from _answered(message, with_policy)
    elif "message" in message:
        yield from _block("Client", message["message"], with_policy)
    else:
        yield "The client half-closes." if "halfClose" in message else "The client cuts the stream."
        yield ""


def _answered(told: Mapping[str, Any], with_policy: bool) -> Iterator[str]:
    if "status" not in told:
        yield from _block("Server", told.get("response") or told["message"], with_policy)
    elif "details" in told["status"]:
        yield from _block(f"Server, {told['status']['code']}", told["status"]["details"], with_policy)
    else:
        yield f"The call ends with {told['status']['code']}."
        yield ""


def _block(title: str, entry: Entry, with_policy: bool) -> Iterator[str]:
    file_name = "/".join(entry["file"].split("/")[1:])
    yield f"{title}: [`{entry['type'].rpartition('.')[2]}`]({file_name})"
    yield ""
    yield "```json"
    yield layout(entry["json"] if with_policy else _without_policy(entry["json"]))
    yield "```"
    yield ""


def _without_policy(value: Any) -> Any:
    match value:
        case {"policy": dict(), **rest}:
            return {**rest, "policy": {"…": "as in the exchange `policy`"}}
        case dict():
            return {key: _without_policy(member) for key, member in value.items()}
        case _:
            return value


def _singles(messages: Mapping[str, Mapping[str, Any]], chapters: Mapping[str, str]) -> Iterator[str]:
    yield "Every kind of operation with every field of its envelope; an outcome of each kind; each message of a call."
    yield "Operations, and what a newer version sends, are shown here; the others stand in the exchanges."
    yield ""
    yield "| message | what it shows | file |"
    yield "|---|---|---|"
    for name, vector in messages.items():
        shows = vector["shows"].replace("|", "\\|")
        told = f" {_slugs(vector['requirements'], chapters)}" if vector["requirements"] else ""
        yield f"| {vector['title']} | {shows}{told} | [`{name}.json`](vectors/messages/{name}.json) |"
    yield ""
    for name, vector in messages.items():
        if name.startswith("operation-") or "-unknown-" in name:
            yield f"### {vector['title']}"
            yield ""
            yield "```json"
            yield layout(vector["message"]["json"])
            yield "```"
            yield ""
            yield "```text"
            yield from _hexadecimal(vector["message"]["binary"])
            yield "```"
            yield ""


def _hexadecimal(encoded: str) -> Iterator[str]:
    """The bytes, sixteen to a line."""
    for start in range(0, len(encoded), 32):
        line = encoded[start : start + 32]
        yield " ".join(line[i : i + 2] for i in range(0, len(line), 2))
