"""What the last stage tells the ledger, whether results leave by sockets or not."""

from __future__ import annotations

from linescan.ledger import Ledger
from linescan.records import Cause, Inspection, Loss


class Fates:
    """Writes the fate of lines into the ledger; safe to use from several threads."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def delivered(self, inspection: Inspection) -> None:
        """The frame's valid lines have arrived.

        Frames come in order and the next one begins no earlier than this one, whatever its overlap
        will be: lines before it are settled.
        """
        lines = inspection.lines()
        self._ledger.publish(lines)
        if inspection.frame.camera_lines is None:
            self._ledger.settle(inspection.frame.first_line)
        elif lines:
            self._ledger.settle(lines[0].first)

    def failed(self, inspection: Inspection) -> None:
        """The frame's valid lines could not be sent."""
        for lines in inspection.lines():
            self.lost(Loss(lines.first, lines.count, Cause.PUBLISHING_FAILURE))

    def lost(self, loss: Loss) -> None:
        """A loss has arrived in band."""
        self._ledger.lose(loss)
