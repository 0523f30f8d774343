"""The last stage where nothing is published: it settles the fate of lines, no more."""

from __future__ import annotations

from collections.abc import Iterable

from linescan.ledger import Ledger
from linescan.publishing.fates import Fates
from linescan.records import Cause, Inspection, Loss
from linescan.stages import FoldStage


class Deliver(FoldStage[Inspection, Inspection, None]):
    """Tells the ledger what arrived, for ``publish.enabled: false``."""

    name = "deliver"
    failure = Cause.PUBLISHING_FAILURE

    def __init__(self, ledger: Ledger) -> None:
        self._fates = Fates(ledger)

    def process(self, item: Inspection) -> Iterable[Inspection | Loss]:
        """Count the frame's lines as published, and pass it on."""
        self._fates.delivered(item)
        return (item,)

    def skip(self, loss: Loss) -> Iterable[Inspection | Loss]:
        """Count the lines as lost, and pass the loss on."""
        self._fates.lost(loss)
        return (loss,)

    def snapshot(self) -> None:
        """Nothing: what the stage knows lies in the ledger."""

    def restore(self, state: None) -> None:
        """Nothing to restore."""
