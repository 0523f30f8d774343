"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LONGEST_S = 1e6
"""As in the configuration, which is not imported here: it would slow down ``--help``."""
ENDLESS = 10**15

Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a key of the configuration, such as depth.backend=cpu; repeatable.",
        show_default=False,
    ),
]
Duration = Annotated[
    float | None,
    typer.Option(
        "--duration",
        min=0.1,
        max=LONGEST_S,
        metavar="S",
        help="End after S seconds.",
    ),
]
Lines = Annotated[
    int | None,
    typer.Option("--lines", min=1, max=ENDLESS, metavar="N", help="End after N lines."),
]
Summary = Annotated[
    Path | None,
    typer.Option(
        "--summary",
        metavar="FILE",
        help="Write the final ledger, rates and latencies to FILE as JSON.",
        show_default=False,
    ),
]
WaitSubscribers = Annotated[
    int | None,
    typer.Option(
        "--wait-subscribers",
        min=0,
        max=1000,
        metavar="N",
        help="Begin when N subscribers are there.",
    ),
]

Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")]


def settings_of(overrides: list[str] | None, wait_subscribers: int | None) -> list[str]:
    """The ``KEY=VALUE`` items of a command line, its options for keys among them."""
    settings = list(overrides or ())
    if wait_subscribers is not None:
        settings.append(f"publish.wait_for_subscribers={wait_subscribers}")
    return settings
