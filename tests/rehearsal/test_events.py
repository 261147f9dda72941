"""The reader of event streams."""

import pytest

from services.rehearsal.events import Frames, StreamEvent

STREAM = (
    b"retry: 1500\n\n"
    b'id: a:1-0\nevent: snapshot\ndata: {"meetings":[]}\n\n'
    b":\n\n"
    b'id: a:2-0\r\nevent: change\r\ndata: {"name":"\xe7\xa4\xba\xe4\xbe\x8b"}\r\n\r\n'
)
EVENTS = [StreamEvent("snapshot", '{"meetings":[]}'), StreamEvent("change", '{"name":"示例"}')]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
def test_frames_are_read_however_they_are_cut(size: int) -> None:
    frames = Frames()

    found = [
        event
        for start in range(0, len(STREAM), size)
        for event in frames.feed(STREAM[start : start + size])
    ]

    assert found == EVENTS
    assert frames.last_event_id == "a:2-0"
    assert frames.retry_seconds == 1.5


def test_a_heartbeat_is_no_event() -> None:
    assert list(Frames().feed(b":\n\n: still here\n\n")) == []


def test_data_of_several_lines_are_joined() -> None:
    assert list(Frames().feed(b"data: a\ndata:b\n\n")) == [StreamEvent("message", "a\nb")]


def test_half_an_event_is_void_after_a_reconnection() -> None:
    frames = Frames()
    assert list(frames.feed(b"id: a:1-0\ndata: x\n\nid: a:2-0\ndata: y\n")) == [
        StreamEvent("message", "x")
    ]

    resumed = frames.resumed()

    assert resumed.last_event_id == "a:1-0"
    assert list(resumed.feed(b"data: z\n\n")) == [StreamEvent("message", "z")]
    assert resumed.last_event_id == "a:1-0"


def test_a_stream_without_an_end_of_line_is_refused() -> None:
    frames = Frames()

    with pytest.raises(ValueError, match="too long"):
        list(frames.feed(b"x" * (8 * 1024 * 1024 + 1)))
