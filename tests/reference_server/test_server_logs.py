from __future__ import annotations

import io
import json
import logging
import threading

from reference_server.logs import InBackground, JsonLines, as_line


def record(message: str = "event", **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("cartsync.server", logging.INFO, __file__, 1, message, None, None)
    made.fields = fields
    return made


def test_a_record_is_one_line_of_json_whatever_is_in_it() -> None:
    line = as_line(record("call", principal="a\nb\u2028", odd=object(), count=3))
    assert line.count("\n") == 1
    entry = json.loads(line)
    assert (entry["event"], entry["principal"], entry["count"]) == ("call", "a\nb\u2028", 3)
    assert entry["time"].endswith("+00:00")


def test_a_traceback_stays_inside_its_line() -> None:
    error = RuntimeError("broken\nin two lines")
    made = logging.LogRecord("other", logging.ERROR, __file__, 1, "x", None, (type(error), error, None))
    assert as_line(made).count("\n") == 1
    entry = json.loads(as_line(made))
    assert "RuntimeError: broken" in entry["traceback"]
    assert entry["logger"] == "other"


def test_a_reader_that_has_gone_silences_the_log_and_raises_nothing() -> None:
    stream = io.StringIO()
    handler = JsonLines(stream)
    stream.close()
    handler.handle(record())
    handler.handle(record())


def test_a_record_that_cannot_be_written_down_costs_only_itself() -> None:
    stream = io.StringIO()
    background = InBackground(JsonLines(stream))
    background.handle(logging.LogRecord("other", logging.ERROR, __file__, 1, "%d rows", ("many",), None))
    background.handle(record("after"))
    background.flush()
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["after"]


class Blocked(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()
        self.seen: list[str] = []

    def emit(self, made: logging.LogRecord) -> None:
        self.go_on.wait(10)
        self.seen.append(made.getMessage())


def test_a_handler_that_blocks_does_not_block_who_logs_and_order_is_kept() -> None:
    target = Blocked()
    background = InBackground(target)
    for number in range(20_000):
        background.handle(record(str(number)))
    target.go_on.set()
    background.flush()
    assert len(target.seen) >= 10_000
    assert target.seen[:3] == ["0", "1", "2"]
