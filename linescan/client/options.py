"""What the modes of a subscriber have in common."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """How a subscriber was asked to receive.

    Attributes:
        name: of this subscriber, for acknowledgements and reports; None makes none.
        control: endpoint of the control socket; None takes it from the greeting.
        status: endpoint of the status socket; None takes it from the greeting.
        verify: compare arrays with their checksums.
        follow: stay after the end of the newest run.
    """

    name: str | None
    control: str | None
    status: str | None
    verify: bool
    follow: bool
