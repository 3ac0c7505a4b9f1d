"""How old an intent is when it is first sent, although device clocks cannot be trusted.

`OperationAttempt.age` is a duration by the client's own clock. Two clocks could measure it:

- the *boot clock* counts on through suspend, is never set by anybody, and starts anew at every boot.
  Two readings of one boot differ by exactly the time between them. This is used whenever it can be.
- the *wall clock* survives a reboot, but a flat battery, a time zone blunder or a late network correction
  moves it. After a reboot it is all there is, so its difference is used only if nothing speaks against it.

An age that is too small is harmless, safety never rests on it. One that is too large makes the server reject
what the shopper wanted. So when in doubt the age is *unknown*, which never expires (spec: retention/unknown-age).
Against the wall clock speak: a reading before this software existed (a clock that was never set), a negative
difference, and a difference smaller than the time since boot although the intent is older than the boot.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_EARLIEST_CREDIBLE_WALL_NS = 1_735_689_600 * 10**9
"""2025-01-01T00:00:00Z. A wall clock before it was never set."""

_BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Reading:
    """What the device's clocks say at one instant. All figures in nanoseconds."""

    wall_ns: int
    """Since the Unix epoch; anything at all if the clock is wrong."""

    boot_id: str = ""
    """Names the boot that `boot_ns` counts from. Empty when the device has no such clock."""

    boot_ns: int = 0
    """Since that boot, suspend included."""


ReadClock = Callable[[], Reading]
"""Reads the device's clocks. Passed in, so that tests can set the time."""


def age_ns(enqueued: Reading, first_sent: Reading) -> int | None:
    """The time from `enqueued` to `first_sent` in nanoseconds, or None when it is not known."""
    if enqueued.boot_id and enqueued.boot_id == first_sent.boot_id:
        return max(0, first_sent.boot_ns - enqueued.boot_ns)
    if min(enqueued.wall_ns, first_sent.wall_ns) < _EARLIEST_CREDIBLE_WALL_NS:
        return None
    elapsed = first_sent.wall_ns - enqueued.wall_ns
    at_least = first_sent.boot_ns if enqueued.boot_id and first_sent.boot_id else 0
    return elapsed if elapsed >= at_least else None


def _boot_id() -> str:
    try:
        return _BOOT_ID_FILE.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def read_device_clock() -> Reading:
    """Reads this device's clocks. Without CLOCK_BOOTTIME and a boot id only the wall clock is given."""
    boot_clock = getattr(time, "CLOCK_BOOTTIME", None)
    boot_id = _boot_id() if boot_clock is not None else ""
    if boot_clock is None or not boot_id:
        return Reading(wall_ns=time.time_ns())
    return Reading(wall_ns=time.time_ns(), boot_id=boot_id, boot_ns=time.clock_gettime_ns(boot_clock))
