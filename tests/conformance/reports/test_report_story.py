from __future__ import annotations

import sample_reports
from cartsync.conformance.v1 import report_pb2
from hypothesis import given
from hypothesis import strategies as st

from conformance.reports.story import lay_out

timelines = st.lists(
    st.tuples(st.floats(0, 1e6), st.sampled_from([0, 1, 2, 3, 4]), st.integers(0, 30)), min_size=1, max_size=600
)


def test_no_events_make_no_story() -> None:
    assert lay_out([]) is None


def test_only_lanes_that_occur_are_drawn_in_their_fixed_order() -> None:
    story = lay_out(
        [
            report_pb2.TimelineEvent(lane=report_pb2.LANE_SERVER),
            report_pb2.TimelineEvent(lane=report_pb2.LANE_DEVICE),
            report_pb2.TimelineEvent(),
        ]
    )
    assert story is not None
    assert story.lanes == ("device", "server", "other")
    assert [event.lane_column for event in story.events] == [2, 1, 3]


def test_pauses_are_pointed_out() -> None:
    story = lay_out(list(sample_reports.lost_answer_story()))
    assert story is not None
    assert [event.number for event in story.events if event.pause] == [6]
    assert story.events[5].pause == "2.40 s"


def test_the_legend_says_where_it_went_wrong() -> None:
    story = lay_out(list(sample_reports.lost_answer_story()))
    assert story is not None
    assert story.legend == "12 events over 3.24 s; it went wrong at event 11 (server, +3.231 s)."


@given(timelines)
def test_every_event_is_in_exactly_one_stretch_and_no_culprit_is_folded(rows: list[tuple[float, int, int]]) -> None:
    timeline = [
        report_pb2.TimelineEvent(
            offset=sample_reports.span(offset), lane=report_pb2.Lane.ValueType(lane), culprit=draw == 0
        )
        for offset, lane, draw in rows
    ]
    story = lay_out(timeline)
    assert story is not None
    assert [event for stretch in story.stretches for event in stretch.events] == list(story.events)
    assert [event.number for event in story.events] == list(range(1, len(rows) + 1))
    folded = [event for stretch in story.stretches if stretch.folded for event in stretch.events]
    assert not any(event.culprit for event in folded)
    assert story.events[0] not in folded
    assert story.events[-1] not in folded
    assert all(0 < event.x_percent < 100 for event in story.events)
    if len(rows) <= 40:
        assert folded == []


def test_a_very_long_run_is_cut_into_several_folds() -> None:
    story = lay_out(list(sample_reports.long_story(1000)))
    assert story is not None
    assert max(len(stretch.events) for stretch in story.stretches) <= 200
