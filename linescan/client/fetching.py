"""Replays that are under way: asked for, received, paid for with credit."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from linescan.client.control import Control
from linescan.client.lanes import Fetch, Stream
from linescan.client.plan import Plan
from linescan.client.replies import Reply, decode_runs
from linescan.errors import ProtocolError
from linescan.protocol import Buffer, Message


class Fetching:
    """Fetches what a plan wants; nothing that comes is believed before it was checked.

    Args:
        control: where to ask.
        plan: what to ask for, and where to put it.
        decode: gives a message of its frames; None where they are not usable.
    """

    def __init__(
        self, control: Control, plan: Plan, decode: Callable[[list[Buffer]], Message | None]
    ) -> None:
        self._control = control
        self._plan = plan
        self._decode = decode
        self._running: dict[str, Fetch] = {}

    def __contains__(self, id_: str) -> bool:
        return id_ in self._running

    def forget(self) -> None:
        """The connection is new: no replay is under way."""
        self._running.clear()
        self._plan.drop_fetches()

    def pay(self, now: float) -> None:
        """Grant credit for what was consumed."""
        for fetch in self._running.values():
            if 2 * fetch.owed >= fetch.credit:
                self._control.tell("credit", fetch.id, n=fetch.owed)
                self._control.expect(fetch.id, now)
                fetch.due, fetch.owed = fetch.due + fetch.owed, 0

    def ask(self, now: float) -> None:
        """Ask for what is wanted."""
        for stream, first, last in self._plan.wanted():
            credit = self._plan.credit()
            id_ = self._control.ask(
                "replay",
                now,
                epoch=stream.epoch,
                camera=stream.camera,
                kind=str(stream.kind),
                first=first,
                last=last,
                credit=credit,
            )
            fetch = Fetch(id_, stream, first, last, credit, expected=first, due=credit)
            self._running[id_] = fetch
            self._plan.begin_fetch(fetch)

    def take(self, reply: Reply) -> bool:
        """Take a reply to a replay; False where the publisher refused to go on.

        Raises:
            ProtocolError: it is not what was asked for.
        """
        fetch = self._running[reply.id]
        if reply.error is not None:
            gone = reply.error == "unknown_stream"
            self._end(fetch, [(fetch.expected, fetch.last + 1)] if gone else ())
            return gone
        if reply.fields.boolean("more"):
            self._receive(fetch, reply)
            return True
        runs = decode_runs(reply.fields, "expired", fetch.first, fetch.last)
        self._end(fetch, runs)
        return bool(runs) or fetch.expected > fetch.first  # else not a word about what was asked

    def _receive(self, fetch: Fetch, reply: Reply) -> None:
        seq = reply.fields.integer("seq", low=fetch.expected, high=fetch.last)
        if fetch.due < 1:
            raise ProtocolError(f"replay of more messages than the {fetch.credit} asked for")
        frames = list(reply.frames)
        message = self._decode(frames)
        if message is None:
            self._plan.unusable(fetch, seq)
        else:
            found = Stream(message.epoch, message.camera, message.kind)
            if (found, message.seq) != (fetch.stream, seq):
                raise ProtocolError(f"replay of {fetch.stream} {seq} gave {found} {message.seq}")
            self._plan.replayed(fetch, message, size_of(frames))
        if fetch.due == 0 and fetch.expected <= fetch.last:
            self._control.settle(fetch.id)  # it is for us to go on

    def _end(self, fetch: Fetch, expired: Iterable[tuple[int, int]]) -> None:
        del self._running[fetch.id]
        self._control.settle(fetch.id)
        self._plan.close_fetch(fetch, expired)


def size_of(frames: list[Buffer]) -> int:
    """Bytes of a message."""
    return sum(memoryview(frame).nbytes for frame in frames)
