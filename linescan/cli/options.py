"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linescan.errors import SubscribeError

if TYPE_CHECKING:
    from linescan.client import ClientKeys

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

Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        min=0.1,
        max=LONGEST_S,
        metavar="S",
        help="Give up when nothing comes for S seconds.",
    ),
]
ServerKey = Annotated[
    str | None,
    typer.Option(
        "--server-key",
        metavar="FILE",
        help="The pipeline's public key, or its file; with --key, where the pipeline wants keys.",
        show_default=False,
    ),
]
OwnKey = Annotated[
    Path | None,
    typer.Option(
        "--key",
        metavar="FILE",
        help="This subscriber's secret key, see linescan keys new.",
        show_default=False,
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")]


def keys_of(server_key: str | None, key: Path | None) -> ClientKeys | None:
    """The keys of a command line.

    Raises:
        LinescanError: only one of them is given, or a file is missing or wrong.
    """
    if server_key is None and key is None:
        return None
    if server_key is None or key is None:
        raise SubscribeError("--server-key and --key go together: give both, or none")
    from linescan.client import ClientKeys

    return ClientKeys(server_key, key)


def settings_of(overrides: list[str] | None, wait_subscribers: int | None) -> list[str]:
    """The ``KEY=VALUE`` items of a command line, its options for keys among them."""
    settings = list(overrides or ())
    if wait_subscribers is not None:
        settings.append(f"publish.wait_for_subscribers={wait_subscribers}")
    return settings
