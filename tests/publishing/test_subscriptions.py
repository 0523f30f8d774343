"""Counting subscriptions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from linescan.publishing.subscriptions import Subscriptions

TOPICS = [b"linescan/1/a/mask/", b"linescan/1/a/event/", b"linescan/1/ab/event/"]
prefixes = st.sampled_from(
    [b"", b"linescan/1/", b"linescan/1/a", *TOPICS, b"linescan/1/a/events/", b"other"]
)


@given(st.lists(prefixes, max_size=12), st.data())
def test_counts_each_peer(subscribed: list[bytes], data: st.DataObject) -> None:
    counter = Subscriptions(TOPICS)
    for prefix in subscribed:
        counter.note(b"\x01" + prefix)
    if subscribed:
        for prefix in data.draw(st.lists(st.sampled_from(subscribed), unique=True)):
            counter.note(b"\x00" + prefix)
            subscribed.remove(prefix)
    for topic in TOPICS:
        assert counter.peers(topic) == sum(topic.startswith(prefix) for prefix in subscribed)


def test_what_ends_without_having_begun_counts_nothing() -> None:
    counter = Subscriptions(TOPICS)
    counter.note(b"\x00" + TOPICS[0])
    counter.note(b"\x01" + TOPICS[0])
    assert counter.peers(TOPICS[0]) == 1


def test_memory_is_bounded_by_the_topics() -> None:
    counter = Subscriptions(TOPICS)
    for n in range(10_000):
        counter.note(b"\x01linescan/1/a/" + str(n).encode())
        counter.note(b"")
        counter.note(b"junk")
    assert len(counter) == 0
