"""The states of a drain and every transition between them.

    RESTING ─ Started ─> ASKING_POLICY ─> BINDING ─> OPENING ─> LOADING ─> MARKING ─> SUBMITTING
                              ^                                  ^  │                     │
                              │                                  │  └─> DRAINED           v
                           WAITING <──── any call that failed    └─────────────────── RECORDING

In each state exactly one command is under way, named like the state; the events are what it can end with. A
state/event pair that is not in the table is a bug of the shell: it raises and changes nothing.

- Whose queue it is and which store was seen is written down (BINDING) before anything is sent (SUBMITTING).
- The mark "sent" is written down (MARKING) before the first byte leaves (SUBMITTING).
- LOOKING_UP and REBUILDING are the way through a store that lost state; HALTING that out of a conflict.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

from reference_client.machine import messages as m


class State(enum.Enum):
    """Where a drain stands: what was asked of the shell and has not been reported back."""

    RESTING = enum.auto()
    ASKING_POLICY = enum.auto()
    BINDING = enum.auto()
    OPENING = enum.auto()
    LOADING = enum.auto()
    MARKING = enum.auto()
    SUBMITTING = enum.auto()
    RECORDING = enum.auto()
    WAITING = enum.auto()
    LOOKING_UP = enum.auto()
    REBUILDING = enum.auto()
    HALTING = enum.auto()
    DRAINED = enum.auto()
    STOPPED = enum.auto()
    HALTED = enum.auto()
    REPLACED = enum.auto()


_S = State
_BROKEN = frozenset({_S.WAITING, _S.STOPPED, _S.LOOKING_UP})
"""Where a failed call leads."""

TRANSITIONS: Mapping[State, Mapping[type[m.Event], frozenset[State]]] = MappingProxyType(
    {
        _S.RESTING: {m.Started: frozenset({_S.ASKING_POLICY})},
        _S.ASKING_POLICY: {
            m.PolicyReceived: frozenset({_S.BINDING, _S.LOOKING_UP, _S.STOPPED}),
            m.CallFailed: _BROKEN,
        },
        _S.BINDING: {m.Stored: frozenset({_S.OPENING})},
        _S.OPENING: {m.Opened: frozenset({_S.LOADING, _S.LOOKING_UP}), m.CallFailed: _BROKEN},
        _S.LOADING: {m.Loaded: frozenset({_S.MARKING, _S.DRAINED, _S.HALTING})},
        _S.MARKING: {m.Marked: frozenset({_S.SUBMITTING})},
        _S.SUBMITTING: {
            m.Answered: frozenset({_S.RECORDING, _S.LOADING, _S.WAITING, _S.HALTING, _S.LOOKING_UP}),
            m.CallFailed: _BROKEN,
        },
        _S.RECORDING: {m.Stored: frozenset({_S.LOADING, _S.WAITING, _S.HALTING, _S.LOOKING_UP})},
        _S.WAITING: {m.Woken: frozenset({_S.ASKING_POLICY, _S.LOADING})},
        _S.LOOKING_UP: {
            m.LookedUp: frozenset({_S.LOOKING_UP, _S.REBUILDING, _S.WAITING}),
            m.CallFailed: _BROKEN,
        },
        _S.REBUILDING: {m.Rebuilt: frozenset({_S.REPLACED}), m.Stored: frozenset({_S.HALTED})},
        _S.HALTING: {m.Stored: frozenset({_S.HALTED})},
        _S.DRAINED: {},
        _S.STOPPED: {},
        _S.HALTED: {},
        _S.REPLACED: {},
    }
)

STATE_OF_COMMAND: Mapping[type[m.Command], State] = MappingProxyType(
    {
        m.AskPolicy: _S.ASKING_POLICY,
        m.Bind: _S.BINDING,
        m.Open: _S.OPENING,
        m.Load: _S.LOADING,
        m.MarkSent: _S.MARKING,
        m.Submit: _S.SUBMITTING,
        m.Record: _S.RECORDING,
        m.Wait: _S.WAITING,
        m.LookUp: _S.LOOKING_UP,
        m.Rebuild: _S.REBUILDING,
        m.Halt: _S.HALTING,
        m.Drained: _S.DRAINED,
        m.Stopped: _S.STOPPED,
        m.Halted: _S.HALTED,
        m.Replaced: _S.REPLACED,
    }
)
"""The state in which a command is under way: the command decides the state, never the other way round."""
