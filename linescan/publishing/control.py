"""Answers to what subscribers ask at the control socket."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from linescan.errors import ProtocolError
from linescan.protocol import Buffer, Kind
from linescan.protocol.control import (
    MAX_CREDIT,
    MAX_ID,
    MAX_REQUEST_BYTES,
    MAX_RUNS,
)
from linescan.protocol.fields import MAX_INT, Fields
from linescan.protocol.schema import schema_text
from linescan.publishing.clerk import Clerk, log_failure
from linescan.publishing.curve import Gate
from linescan.publishing.positions import Earlier, Found, look, positions
from linescan.publishing.published import Published
from linescan.publishing.replays import MOST, MOST_OF_A_PEER, Replays
from linescan.publishing.reports import Reports, Unnamed
from linescan.publishing.requests import (
    Caller,
    RequestError,
    check,
    kind_of,
    name_of,
    parse,
    split,
    stream_of,
)
from linescan.publishing.router import Outcome, Router
from linescan.publishing.store import Journal, Stream

T = TypeVar("T")

AT_ONCE: Final = 64
"""Requests that are answered before the publisher looks after its messages again."""
LIMITS: Final = {
    "request_bytes": MAX_REQUEST_BYTES,
    "id_characters": MAX_ID,
    "credit": MAX_CREDIT,
    "runs": MAX_RUNS,
    "replays": MOST,
    "replays_of_a_connection": MOST_OF_A_PEER,
}


class Control:
    """Reads requests and answers them; for use in the publisher's thread.

    Args:
        router: the socket.
        published: what was published.
        reports: where acknowledgements and gaps are noted.
        clerk: does what takes long.
        gate: says under which names a subscriber may ask; None allows any.

    Attributes:
        about: software and endpoints, for ``describe``.
    """

    def __init__(
        self,
        router: Router,
        published: Published,
        reports: Reports,
        clerk: Clerk,
        gate: Gate | None,
    ) -> None:
        self._router = router
        self._published = published
        self._reports = reports
        self._clerk = clerk
        self._gate = gate
        self._unnamed = Unnamed()
        self.about: Mapping[str, Any] = {}
        self._journal: Journal | None = None
        self._replays: Replays | None = None
        self._earlier: Earlier | None = None
        if published.journalling is not None:
            self._journal = published.journalling.journal
            self._replays = Replays(self._journal, clerk, router)
            self._earlier = Earlier(self._journal, published.epoch)
        self._answers: Mapping[str, Callable[[Caller, Fields], None]] = {
            "ping": self._ping,
            "describe": self._describe,
            "schema": self._schema,
            "positions": self._positions,
            "latest": self._latest,
            "ack": self._ack,
            "gaps": self._gaps,
            "replay": self._replay,
            "credit": self._credit,
            "cancel": self._cancel,
        }

    def serve(self) -> bool:
        """Answer requests that wait; whether there may be more of them."""
        for _ in range(AT_ONCE):
            received = self._router.receive()
            if received is None:
                return False
            self._answer(*split(*received))
        return True

    def settle(self) -> None:
        """Go on with what the clerk has done, and with replays."""
        self._clerk.settle()
        if self._replays is not None:
            self._replays.pump()

    def tidy(self) -> None:
        """End what its subscribers have left behind; call it once a second."""
        self._router.make_room()
        if self._replays is not None:
            self._replays.end_abandoned()

    @property
    def blocked(self) -> bool:
        """Whether a replay waits for room, which nobody announces."""
        return self._replays is not None and self._replays.blocked

    @property
    def replays_running(self) -> int:
        """Replays that run."""
        return 0 if self._replays is None else len(self._replays)

    def unnamed_waits(self, since_s: float) -> bool:
        """Whether a subscriber without a name may still ask for something, after the end began."""
        return self._unnamed.waits(since_s)

    def _answer(self, caller: Caller, frames: list[bytes]) -> None:
        try:
            caller, fields = parse(caller, frames)
            try:
                check(fields)
                answer = self._answers.get(fields.text("request"))
                if answer is None:
                    known = ", ".join(self._answers)
                    raise RequestError("unknown_request", f"unknown request; known are {known}")
                answer(caller, fields)
            except ProtocolError as error:
                raise RequestError("bad_request", str(error)) from None
        except RequestError as error:
            self._send(caller, [caller.refusal(error.code, str(error))])

    def _send(self, caller: Caller, frames: Sequence[Buffer]) -> None:
        """Whoever does not read gets no reply; where there is no room, it gets a short one."""
        if self._router.send_if_room(caller.envelope, frames) is Outcome.FULL:
            refusal = caller.refusal("busy", "replies wait to be read: ask again in a second")
            self._router.send(caller.envelope, [refusal])

    def _succeed(self, caller: Caller, **more: Any) -> None:
        self._send(caller, [caller.reply(more=more)])

    def _ping(self, caller: Caller, _: Fields) -> None:
        self._succeed(caller, epoch=self._published.epoch, time_ns=str(time.time_ns()))

    def _describe(self, caller: Caller, _: Fields) -> None:
        self._succeed(
            caller,
            **self.about,
            epoch=self._published.epoch,
            started_ns=str(self._published.started_ns),
            cameras=list(self._published.cameras),
            kinds=[str(kind) for kind in Kind],
            journal=self._journal is not None,
            requests=list(self._answers),
            limits=LIMITS,
        )

    def _schema(self, caller: Caller, _: Fields) -> None:
        self._send(caller, [caller.reply(), schema_text().encode()])

    def _latest(self, caller: Caller, fields: Fields) -> None:
        camera, kind = self._camera(fields), kind_of(fields)
        kept = self._published.newest.get(Stream(self._published.epoch, camera, kind))
        if kept is None:
            raise RequestError("nothing_yet", f"no {kind} of {camera} was published so far")
        reply = caller.reply(more={"epoch": self._published.epoch, "seq": kept.seq})
        self._send(caller, [reply, *kept.frames])

    def _ack(self, caller: Caller, fields: Fields) -> None:
        name, stream = name_of(caller, fields, self._gate), stream_of(fields)
        seq = fields.integer("seq")
        if stream.epoch == self._published.epoch:
            self._camera(fields)
            last = self._published.last.get(stream, -1)
            if seq > last:
                raise fields.fail("seq", f"at most {last}: no more was published so far")
        if self._journal is None or self._earlier is None:
            if stream.epoch != self._published.epoch:
                raise RequestError("unknown_stream", "there is no journal: earlier runs are gone")
            self._reports.acknowledge(name, stream, seq)
            self._succeed(caller)
        elif stream.epoch == self._published.epoch:
            self._note(caller, name, stream, partial(self._keep, self._journal, name, stream, seq))
        else:
            acknowledge = partial(self._earlier.acknowledge, name, stream, seq)
            self._note(caller, name, stream, acknowledge)

    @staticmethod
    def _keep(journal: Journal, name: str, stream: Stream, seq: int) -> int:
        journal.acknowledge(name, stream, seq)
        return seq

    def _note(self, caller: Caller, name: str, stream: Stream, keep: Callable[[], int]) -> None:
        """Have an acknowledgement kept, and note it once it is."""

        def noted(seq: int) -> dict[str, Any]:
            self._reports.acknowledge(name, stream, seq)
            return {}

        self._submit(caller, keep, noted)

    def _gaps(self, caller: Caller, fields: Fields) -> None:
        name, stream = name_of(caller, fields, self._gate), stream_of(fields)
        runs = fields.runs("runs", 0, MAX_INT)
        if len(runs) > MAX_RUNS:
            raise RequestError("bad_request", f"request.runs: at most {MAX_RUNS} at a time")
        self._reports.miss(name, stream, runs)
        self._succeed(caller)

    def _positions(self, caller: Caller, fields: Fields) -> None:
        name = None if fields.empty("name") else name_of(caller, fields, self._gate)
        if name is None:
            self._unnamed.came(caller.peer)
        else:
            self._reports.seen(name)
        if self._journal is None:
            mine = self._reports.seen(name).acknowledged if name is not None else {}
            self._succeed(caller, **positions(self._published, Found(acknowledged=mine)))
        else:
            answer = partial(positions, self._published)
            self._submit(caller, partial(look, self._journal, name), answer)

    def _replay(self, caller: Caller, fields: Fields) -> None:
        stream = stream_of(fields)
        first = fields.integer("first")
        last = fields.integer("last", low=first)
        credit = fields.integer("credit", low=1, high=MAX_CREDIT)
        if self._replays is None:
            raise RequestError("no_journal", "this publisher keeps no journal: nothing to replay")
        self._unnamed.goes_on(caller.peer)
        self._replays.begin(caller, stream, first, last, credit)

    def _credit(self, caller: Caller, fields: Fields) -> None:
        count = fields.integer("n", low=1, high=MAX_CREDIT)
        if self._replays is not None:
            self._unnamed.goes_on(caller.peer)
            self._replays.add_credit(caller, count)

    def _cancel(self, caller: Caller, _: Fields) -> None:
        if self._replays is not None:
            self._replays.cancel(caller)
        self._succeed(caller)

    def _camera(self, fields: Fields) -> str:
        camera = fields.text("camera")
        if camera not in self._published.cameras:
            offered = ", ".join(self._published.cameras)
            raise RequestError("unknown_stream", f"no such camera here; there is {offered}")
        return camera

    def _submit(
        self, caller: Caller, work: Callable[[], T], answer: Callable[[T], dict[str, Any]]
    ) -> None:
        """Have the clerk do something, and answer with what comes of it.

        Raises:
            RequestError: it has too much to do.
        """
        if self._clerk.busy:
            raise RequestError("busy", "too many requests are under way: ask again in a second")

        self._clerk.submit(
            work,
            lambda found: self._succeed(caller, **answer(found)),
            partial(self._cannot, caller),
        )

    def _cannot(self, caller: Caller, error: Exception) -> None:
        """Tell who asked that nothing came of it."""
        code = error.code if isinstance(error, RequestError) else "journal_failed"
        if not isinstance(error, RequestError):
            log_failure(f"{caller.request} request", error)
        self._send(caller, [caller.refusal(code, str(error))])
