"""Replays from the journal: each as fast as its subscriber takes it, within the memory budget."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Generator
from dataclasses import dataclass, field
from functools import partial
from typing import Final, NamedTuple

from linescan.protocol.control import MAX_CREDIT
from linescan.publishing.clerk import Clerk, log_failure
from linescan.publishing.requests import Caller, RequestError
from linescan.publishing.router import Outcome, Router, size_of
from linescan.publishing.store import Journal, Kept, Stream

MOST: Final = 16
"""Replays that run at a time."""
MOST_OF_A_PEER: Final = 4
MOST_EXPIRED: Final = 1024
"""Runs of numbers that are not to be had, in one closing reply; neighbouring ones merge beyond."""
STALLED_S: Final = 2.0
"""A replay that waits for credit so long makes room for another where there are too many."""
ABANDONED_S: Final = 60.0
"""A replay that waits for credit so long is ended."""
FIRST_BYTES: Final = 1 << 20
"""Room for the first message of a replay, whose size is not known yet."""
TOGETHER_BYTES: Final = 256 << 10
"""Messages up to this size are read several at a time."""


@dataclass(slots=True, eq=False)
class Replay:
    """One range on its way to one subscriber."""

    caller: Caller
    stream: Stream
    next: int
    """The number that is expected from the journal next."""
    last: int
    credit: int
    waiting: deque[Kept] = field(default_factory=deque)
    reserved: int = 0
    """Bytes of what is being read, or waits."""
    size: int = FIRST_BYTES
    """Of the message before."""
    entries: Generator[Kept, None, None] | None = None
    expired: list[list[int]] = field(default_factory=list)
    reading: bool = False
    finished: bool = False
    refusal: tuple[str, str] | None = None
    progress_s: float = field(default_factory=time.monotonic)
    """When credit last came, or a message was sent."""

    def note(self, seq: int) -> None:
        """A number has come from the journal: those before it are not to be had."""
        if seq > self.next:
            self.expired.append([self.next, seq - self.next])
        if len(self.expired) > MOST_EXPIRED:
            last = self.expired.pop()
            self.expired[-1][1] = sum(last) - self.expired[-1][0]
        self.next = seq + 1


class Batch(NamedTuple):
    """What the clerk has read, whether that was the last, and why it could not go on."""

    kept: list[Kept]
    finished: bool = False
    refusal: tuple[str, str] | None = None


class Replays:
    """All replays that run, in the publisher's thread; the clerk reads for them.

    Args:
        journal: where to read from.
        clerk: who reads.
        router: where to send.
    """

    def __init__(self, journal: Journal, clerk: Clerk, router: Router) -> None:
        self.blocked = False
        """Some message waits for room: call ``pump`` again soon."""
        self._journal = journal
        self._clerk = clerk
        self._router = router
        self._running: dict[tuple[bytes, str], Replay] = {}

    def __len__(self) -> int:
        return len(self._running)

    def begin(self, caller: Caller, stream: Stream, first: int, last: int, credit: int) -> None:
        """Start one; what comes of it is sent by ``pump``.

        Raises:
            RequestError: too many run, or its id is in use.
        """
        if caller.id is None:
            raise RequestError("bad_request", "request.id is missing: a replay needs one")
        if (caller.peer, caller.id) in self._running:
            raise RequestError("bad_request", "request.id is that of a replay that runs")
        if sum(peer == caller.peer for peer, _ in self._running) >= MOST_OF_A_PEER:
            raise RequestError("busy", f"{MOST_OF_A_PEER} replays run for you: wait for one to end")
        if self._clerk.busy:  # replays that were cancelled while they are read count there
            raise RequestError("busy", "the journal is slow: ask again in a second")
        if len(self._running) >= MOST:
            self._evict()
        replay = Replay(caller, stream, first, last, credit)
        self._running[caller.peer, caller.id] = replay
        self.pump()

    def add_credit(self, caller: Caller, count: int) -> None:
        """A subscriber has consumed messages; unknown replays are those that have just ended."""
        replay = self._running.get((caller.peer, caller.id or ""))
        if replay is not None:
            replay.credit = min(MAX_CREDIT, replay.credit + count)
            replay.progress_s = time.monotonic()
            self.pump()

    def cancel(self, caller: Caller) -> None:
        """End one without a closing reply."""
        replay = self._running.get((caller.peer, caller.id or ""))
        if replay is not None:
            self._end(replay)

    def pump(self) -> None:
        """Send what can be sent, and have more read."""
        self.blocked = False
        for replay in list(self._running.values()):
            if self._running.get(_key(replay)) is replay:
                self._advance(replay)
        if len(self._running) > 1:  # each is first in turn
            key = next(iter(self._running))
            self._running[key] = self._running.pop(key)

    def end_abandoned(self) -> None:
        """End those whose subscribers take no more."""
        since = time.monotonic() - ABANDONED_S
        for replay in [r for r in self._running.values() if _waits(r) and r.progress_s < since]:
            self._refuse(replay, "stalled", f"no credit came within {ABANDONED_S:g} s")

    def _evict(self) -> None:
        """Make room for one more.

        Raises:
            RequestError: all of them go on.
        """
        since = time.monotonic() - STALLED_S
        stalled = [r for r in self._running.values() if _waits(r) and r.progress_s < since]
        if not stalled:
            raise RequestError("busy", f"{MOST} replays run: ask again in a second")
        longest = min(stalled, key=lambda r: r.progress_s)
        self._refuse(longest, "stalled", "it waited for credit while others waited for their turn")

    def _advance(self, replay: Replay) -> None:
        while replay.waiting and replay.credit:
            if not self._send(replay):
                return
        if replay.waiting:
            return
        if replay.refusal is not None:
            self._refuse(replay, *replay.refusal)
        elif replay.finished:
            self._close(replay)
        elif replay.credit and not replay.reading:
            self._read_on(replay)

    def _send(self, replay: Replay) -> bool:
        kept = replay.waiting[0]
        reply = replay.caller.reply(more={"seq": kept.seq, "more": True})
        outcome = self._router.send(replay.caller.envelope, [reply, *kept.frames])
        if outcome is Outcome.FULL:
            self.blocked = True
        elif outcome is Outcome.GONE:
            self._leave(replay.caller.peer)
        else:
            replay.waiting.popleft()
            replay.credit -= 1
            replay.reserved -= _size(kept)
            replay.progress_s = time.monotonic()
            return True
        return False

    def _close(self, replay: Replay) -> None:
        replay.note(replay.last + 1)
        reply = replay.caller.reply(more={"more": False, "expired": replay.expired})
        if self._router.send(replay.caller.envelope, [reply]) is Outcome.FULL:
            self.blocked = True
        else:
            self._end(replay)

    def _refuse(self, replay: Replay, code: str, message: str) -> None:
        """End one with an error, as far as its subscriber still reads."""
        reply = replay.caller.refusal(code, message)
        self._router.send(replay.caller.envelope, [reply])
        self._end(replay)

    def _leave(self, peer: bytes) -> None:
        for replay in [r for r in self._running.values() if r.caller.peer == peer]:
            self._end(replay)

    def _end(self, replay: Replay) -> None:
        del self._running[_key(replay)]
        replay.waiting.clear()
        if not replay.reading:
            self._release(replay)

    def _release(self, replay: Replay) -> None:
        """Close the journal's files where they were opened."""
        replay.reserved = 0
        entries, replay.entries = replay.entries, None
        if entries is not None:
            self._clerk.submit(entries.close, _nothing, partial(log_failure, "a replay's end"))

    def _read_on(self, replay: Replay) -> None:
        count = replay.credit if replay.size <= TOGETHER_BYTES else 1
        size = count * replay.size
        if not self._has_room(replay, size):
            self.blocked = True
            return
        replay.reading = True
        replay.reserved = size
        self._clerk.submit(
            partial(self._read, replay, count, size),
            partial(self._arrived, replay),
            partial(log_failure, "a replay"),
        )

    def _has_room(self, replay: Replay, size: int) -> bool:
        """Whether a replay may hold so much."""
        reserved: Counter[bytes] = Counter()
        for (peer, _), running in self._running.items():
            if running is not replay:
                reserved[peer] += running.reserved
        return self._router.has_room(replay.caller.peer, size, reserved)

    def _read(self, replay: Replay, count: int, size: int) -> Batch:
        """In the clerk's thread: the next messages, so many or so much."""
        batch: list[Kept] = []
        try:
            if replay.entries is None:
                replay.entries = self._journal.read(replay.stream, replay.next, replay.last)
            while len(batch) < count and sum(map(_size, batch)) < size:
                kept = next(replay.entries, None)
                if kept is None:
                    return Batch(batch, finished=True)
                batch.append(kept)
        except Exception as error:  # noqa: BLE001 - it must not keep its place for ever
            log_failure("a replay cannot be read", error)
            return Batch(batch, refusal=("journal_failed", str(error)))
        return Batch(batch)

    def _arrived(self, replay: Replay, batch: Batch) -> None:
        replay.reading = False
        if self._running.get(_key(replay)) is not replay:
            self._release(replay)
            return
        sizes = [_size(kept) for kept in batch.kept]
        if sum(sizes) > replay.reserved and not self._has_room(replay, sum(sizes)):
            replay.size = max(sizes)  # larger than was thought: read again once there is room
            self._release(replay)
            return
        for kept in batch.kept:
            replay.note(kept.seq)
        replay.waiting.extend(batch.kept)
        replay.reserved = sum(sizes)
        replay.size = max(sizes, default=replay.size)
        replay.finished, replay.refusal = batch.finished, batch.refusal


def _key(replay: Replay) -> tuple[bytes, str]:
    return replay.caller.peer, replay.caller.id or ""


def _waits(replay: Replay) -> bool:
    return not replay.credit and not replay.reading


def _size(kept: Kept) -> int:
    return size_of(kept.frames)


def _nothing(_: None) -> None:
    pass
