"""What a sink is doing, in numbers and one line."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class State:
    """Counts of one sink since its start.

    Attributes:
        name: of the sink.
        phase: what it does now, in words.
        sent: messages that the broker has acknowledged, by what they are; sent again counts again.
        behind: messages of the journal that are not yet forwarded.
        in_flight: messages of the journal that are sent and not yet acknowledged.
        expired: messages of the journal that were gone before they could be forwarded.
        too_large: messages that the broker does not take for their size.
        unreadable: messages whose header could not be read.
        outages: how often the broker went away or could not be reached.
    """

    name: str
    phase: str = "starting"
    sent: dict[str, int] = field(default_factory=dict)
    behind: int = 0
    in_flight: int = 0
    expired: int = 0
    too_large: int = 0
    unreadable: int = 0
    outages: int = 0

    @property
    def lost(self) -> int:
        """Messages that the broker will never get."""
        return self.expired + self.too_large + self.unreadable

    def note_sent(self, word: str) -> None:
        """The broker has acknowledged a message."""
        self.sent[word] = self.sent.get(word, 0) + 1

    def line(self) -> str:
        """All of it in one line."""
        sent = ", ".join(f"{count} {word}" for word, count in sorted(self.sent.items()))
        parts = [f"sent {sent or 'nothing yet'}", f"{self.behind} behind"]
        for count, words in (
            (self.expired, "expired"),
            (self.too_large, "too large"),
            (self.unreadable, "unreadable"),
        ):
            if count:
                parts.append(f"{count} {words}")
        return f"{self.name}: {self.phase}; {', '.join(parts)}"
