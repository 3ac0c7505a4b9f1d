"""A server that was launched and cannot be used is told so that its owner knows where to look."""

from __future__ import annotations

import sys

import pytest

from conformance.exceptions import TargetUnreachableError
from conformance.wire import Target, TargetOptions
from conformance.wire import target as target_module


@pytest.mark.parametrize(
    ("printed", "quoted"),
    [("", "it printed nothing"), ("listening on 127.0.0.1:8080", "its last words:\nlistening on 127.0.0.1:8080")],
)
def test_a_launched_command_that_lives_but_never_listens_is_asked_for_its_address(
    monkeypatch: pytest.MonkeyPatch, printed: str, quoted: str
) -> None:
    monkeypatch.setattr(target_module, "START_SECONDS", 1.0)
    script = f"import time; print({printed!r}, flush=True) if {printed!r} else None; time.sleep(60)"
    target = Target(TargetOptions(launch=f'{sys.executable} -c "{script}"'))
    with pytest.raises(TargetUnreachableError) as found, target:
        pass
    assert str(found.value) == (
        f"the launched command is still running, but nothing answers at {target.address} after 1 s: does it use "
        f"{{listen}} or CARTSYNC_LISTEN? {quoted}"
    )


def test_a_launched_command_that_ends_in_silence_is_said_to_have_printed_nothing() -> None:
    target = Target(TargetOptions(launch=f"{sys.executable} -c 'raise SystemExit(3)'"))
    with pytest.raises(TargetUnreachableError, match="exit code 3 before it was healthy; it printed nothing"), target:
        pass
