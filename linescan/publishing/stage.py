"""The last stage: numbers results, sends them, and settles the fate of their lines."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from linescan.config import PublishSection
from linescan.errors import ProtocolError, PublishError
from linescan.latency import Latency
from linescan.ledger import Ledger
from linescan.protocol import (
    DERIVED,
    Buffer,
    Kind,
    Stamp,
    encode,
    encode_completed,
    encode_end,
    encode_loss,
    encode_start,
    topic,
)
from linescan.publishing.curve import Gate
from linescan.publishing.fates import Fates
from linescan.publishing.outgoing import Outgoing
from linescan.publishing.publisher import MESSAGE_BYTES, SOFTWARE, SYNC_S, Publisher
from linescan.publishing.store import Journal
from linescan.records import Cause, Completed, Inspection, Loss, remains
from linescan.stages import FoldStage

log = logging.getLogger(__name__)

FLUSH_S: Final = 20.0
"""Time for the socket to take what is queued; it never waits for subscribers."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """The next sequence numbers: of inspections with all derived kinds, and of events."""

    inspection: int = 0
    event: int = 0


class Publish(FoldStage[Inspection, Inspection, Numbers]):
    """Publishes inspections, losses, objects that complete without a frame, the start and the end.

    A line counts as published once the socket took the message that holds it. Derived kinds are
    made only while somebody subscribes to them.

    Args:
        section: the configuration of publishing.
        camera: name of the camera in topics.
        ledger: the account of lines; this stage alone tells it what became of them.
        settings: a summary of the configuration for the ``start`` event.
        message_bytes: size of an inspection's arrays; subscribers' queues are sized by it.
        image_bytes: size of a frame's pixels.
        journal: keeps inspections and events; closed with the publisher.
        sync_s: shortest time between two syncs of the journal.

    Raises:
        PublishError: ``publish.memory_mb`` has no room for one message.

    Attributes:
        publisher: the socket's owner; its ``endpoint`` is the resolved one after ``setup``.
        end_reason: asked when the stream has ended, for the ``end`` event.
    """

    name = "publish"
    failure = Cause.PUBLISHING_FAILURE

    def __init__(
        self,
        section: PublishSection,
        camera: str,
        ledger: Ledger,
        settings: Mapping[str, Any] | None = None,
        message_bytes: int = MESSAGE_BYTES,
        image_bytes: int = 0,
        journal: Journal | None = None,
        sync_s: float = SYNC_S,
    ) -> None:
        self.publisher = Publisher(
            section.data,
            [camera],
            memory_mb=section.memory_mb,
            linger_s=section.linger_s,
            message_bytes=message_bytes,
            image_bytes=image_bytes,
            control=section.control_endpoint,
            status=section.status_endpoint,
            journal=journal,
            sync_s=sync_s,
            gate=None
            if section.security is None
            else Gate(section.security.server_key, section.security.allow),
        )
        self.end_reason: Callable[[], str] = lambda: "finished"
        self._section = section
        self._camera = camera
        self._ledger = ledger
        self._fates = Fates(ledger)
        self._settings = dict(settings or {})
        self._numbers = Numbers()
        self._encoding, self._sending = Latency(), Latency()
        self._not_derived: Counter[Kind] = Counter()
        self._left: deque[Completed] = deque()

    def setup(self) -> None:
        """Bind, wait for subscribers where the configuration asks for it, publish ``start``.

        Raises:
            PublishError: the endpoint cannot be had, or the subscribers did not come.
        """
        try:
            self.publisher.start()
            if self._section.wait_for_subscribers:
                log.info("waiting for %d subscribers", self._section.wait_for_subscribers)
                self.publisher.wait_for_subscribers(
                    self._section.wait_for_subscribers, self._section.wait_s
                )
            self._send_event(
                partial(
                    encode_start,
                    software=SOFTWARE,
                    settings=self._settings,
                    settings_sha256=_digest(self._settings),
                )
            )
        except BaseException:
            self.publisher.close()
            raise

    def process(self, item: Inspection) -> Iterable[Inspection | Loss]:
        """Send one inspection and what is derived from it, and pass it on.

        A derived kind that cannot be written down is left out, logged and counted.

        Raises:
            ProtocolError: the inspection cannot be written down.
            PublishError: the publisher has failed.
        """
        self._send_left()
        began = time.perf_counter_ns()
        stamp = self._stamp(self._numbers.inspection)
        messages = self._encode(item, stamp)
        self._encoding.add(time.perf_counter_ns() - began)
        self.publisher.send(
            Outgoing(
                messages=messages,
                stamp=stamp,
                on_sent=partial(self._fates.delivered, item),
                on_failed=partial(self._not_sent, item),
                sending=self._sending,
            )
        )
        self._numbers = replace(self._numbers, inspection=self._numbers.inspection + 1)
        return (item,)

    def skip(self, loss: Loss) -> Iterable[Inspection | Loss]:
        """Count the lines as lost, report them, and pass the loss on.

        Raises:
            PublishError: the publisher has failed; the ledger knows of the loss all the same.
        """
        self._fates.lost(loss)
        if loss.count > 0:
            self._send_event(partial(encode_loss, loss))
        return (loss,)

    def hand_on(self, completed: Completed) -> Iterable[Completed]:
        """Report the objects by an event, and pass them on.

        Raises:
            ProtocolError: they cannot be written down.
            PublishError: the publisher has failed.
        """
        self._send_event(partial(encode_completed, completed))
        return (completed,)

    def finish(self) -> Iterable[Inspection | Loss]:
        """Publish ``end`` with the final account, after everything else was sent.

        Raises:
            PublishError: the publisher has failed.
        """
        self.publisher.flush(FLUSH_S)
        self._send_left()
        sent = self._numbers.inspection
        self._send_event(
            partial(
                encode_end,
                totals=self._ledger.totals().to_json(),
                last_seq=sent - 1 if sent else None,
                reason=self.end_reason(),
            )
        )
        self.publisher.flush(FLUSH_S)
        return ()

    def teardown(self) -> None:
        """Let subscribers fetch what was sent, within the linger time, and release the endpoint."""
        self.publisher.close()

    @property
    def steps(self) -> Mapping[str, Latency]:
        """Writing messages down (header, arrays, checksums), and handing them to ZeroMQ."""
        return {"encode": self._encoding, "send": self._sending}

    @property
    def partial_failures(self) -> Mapping[str, int]:
        """Inspections of which a derived kind could not be written down, by kind.

        And, as ``no_room``, messages for which the memory budget had no room.
        """
        failures = {str(kind): count for kind, count in self._not_derived.items()}
        if self.publisher.no_room:
            failures["no_room"] = self.publisher.no_room
        return failures

    def snapshot(self) -> Numbers:
        """The next sequence numbers."""
        return self._numbers

    def restore(self, state: Numbers) -> None:
        """Go on with the sequence numbers of a snapshot."""
        self._numbers = state

    def _not_sent(self, item: Inspection) -> None:
        """Note, in the publisher's thread, that an inspection had no room: its lines are lost.

        Objects that it completed follow by an event.
        """
        self._fates.failed(item)
        if (rest := remains(item)) is not None:
            self._left.append(rest)

    def _send_left(self) -> None:
        while self._left:
            self._send_event(partial(encode_completed, self._left.popleft()))

    def _encode(self, item: Inspection, stamp: Stamp) -> list[list[Buffer]]:
        """The inspection's message, and one of each derived kind that somebody subscribes to."""
        messages = [encode(item, Kind.INSPECTION, stamp)]
        for kind in DERIVED:
            if self.publisher.wants(topic(self._camera, kind)):
                try:
                    messages.append(encode(item, kind, stamp))
                except ProtocolError as error:
                    self._note_not_derived(kind, stamp, error)
        return [message for message in messages if message is not None]

    def _note_not_derived(self, kind: Kind, stamp: Stamp, error: ProtocolError) -> None:
        self._not_derived[kind] += 1
        if self._not_derived[kind] == 1 or self._not_derived[kind] % 100 == 0:
            log.error(
                "inspection %d is published without its %s: %s (%d so far)",
                stamp.seq,
                kind,
                error,
                self._not_derived[kind],
            )

    def _stamp(self, seq: int) -> Stamp:
        return Stamp(self._camera, self.publisher.epoch, seq, time.time_ns())

    def _send_event(self, encode_event: Callable[[Stamp], list[Buffer]]) -> None:
        stamp = self._stamp(self._numbers.event)
        self.publisher.send(Outgoing([encode_event(stamp)], stamp=stamp, kind=Kind.EVENT))
        self._numbers = replace(self._numbers, event=stamp.seq + 1)


def _digest(settings: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(settings, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise PublishError(f"the summary of the settings is not plain data: {error}") from error
    return hashlib.sha256(text.encode()).hexdigest()
