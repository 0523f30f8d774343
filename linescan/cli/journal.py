"""``linescan journal``: look into, verify, export and prune what a pipeline has kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from linescan.cli.bars import line_bar
from linescan.cli.exits import OK, UNBALANCED
from linescan.cli.units import duration_ns, moment_ns, name_size, size_bytes
from linescan.errors import JournalError

app = typer.Typer(
    help="Look into, verify, export and prune what a pipeline has kept (journal.enabled).",
    epilog="Example: linescan journal ls journal",
    no_args_is_help=True,
)

Folder = Annotated[
    Path,
    typer.Argument(help="The journal: what journal.folder names.", show_default=False),
]
Epoch = Annotated[
    str | None,
    typer.Option(
        metavar="ID", help="Only this epoch: how it begins, or 'last'.", show_default=False
    ),
]
Camera = Annotated[str | None, typer.Option(help="Only this camera.", show_default=False)]


@app.command("ls")
def ls(
    folder: Folder,
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
) -> None:
    """List what is there: epochs, streams, numbers, gaps, sizes, times, acknowledgements.

    An epoch is one start of a pipeline. The journal may be in use.

    Example: [bold]linescan journal ls journal[/]
    """
    from linescan.cli.journal_listing import Listing

    listing = Listing(folder)
    if as_json:
        typer.echo(listing.as_json())
    else:
        listing.show(Console(highlight=False))


@app.command("verify")
def verify(folder: Folder) -> None:
    """Prove that nothing is damaged or missing, and that every captured line is accounted for.

    Reads every byte and compares every checksum, looks for numbers that are not there, and adds up
    the lines of each epoch: captured = published + lost by cause. The exit code is 0 only if
    nothing is wrong. An epoch that is still running, or partly pruned, cannot be proven; that is
    said, and is not wrong.

    Example: [bold]linescan journal verify journal[/]
    """
    from linescan.journal import JournalAudit, Verdict

    audit = JournalAudit(folder)
    with line_bar("verifying", audit.total_bytes, "bytes") as advance:
        report = audit.run(advance)
    for run in report.runs:
        line = run.account.explain().splitlines()[0].partition(": ")[2]
        if run.verdict in (Verdict.RUNNING, Verdict.PRUNED):
            line = f"{run.account.inspections} inspections here, the account cannot be proven"
        typer.echo(f"{run.camera} {run.epoch[:8]}: {run.verdict}: {line}")
    for note in report.notes:
        typer.echo(f"note: {note}")
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    for finding in report.findings:
        errors.print(f"[bold red]wrong:[/] {finding}")
    if report.more:
        errors.print(f"[bold red]wrong:[/] and {report.more} more")
    bytes_ = f"{report.damaged} places are damaged" if report.damaged else "every checksum is right"
    typer.echo(
        f"{report.messages} messages in {report.segments} segments ({name_size(report.bytes)}):"
        f" {bytes_}"
    )
    raise typer.Exit(UNBALANCED if report.findings else OK)


@app.command("export")
def export(
    folder: Folder,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="FORMAT",
            help="mcap, jsonl (headers), csv or parquet (objects of each frame), whole-csv or "
            "whole-parquet (complete objects), png or tiff (depth and labels).",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(help="The new file; for png and tiff, a folder.", show_default=False),
    ],
    epoch: Epoch = None,
    camera: Camera = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TIME",
            help="Published at this local time or later: 2026-03-01T14:30, or 2h ago as 2h.",
            show_default=False,
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Published before this time.", show_default=False),
    ] = None,
    first: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="From this sequence number on.")
    ] = None,
    last: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Up to this sequence number.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace what is there.")] = False,
) -> None:
    """Write messages as files that other programs read.

    A file appears only when it is complete. What is damaged is left out, and said: then the exit
    code is 1.

    Examples:
    [bold]linescan journal export journal --to mcap --out run.mcap --epoch last[/]

    [bold]linescan journal export journal --to csv --out objects.csv --from 8h[/]

    [bold]linescan journal export journal --to tiff --out depth --first 100 --last 199[/]
    """
    from linescan.archive import FORMATS, Selection, open_exporter, select
    from linescan.archive.selection import entries
    from linescan.journal import JournalReader

    selection = Selection(
        epoch=epoch,
        camera=camera,
        from_ns=moment_ns("--from", since),
        until_ns=moment_ns("--until", until),
        first=first,
        last=last,
    )
    reader = JournalReader(folder)
    if to not in FORMATS:
        raise JournalError(f"--to {to}: expected one of {', '.join(FORMATS)}")
    parts = select(reader, selection, FORMATS[to].kinds)
    exporter = open_exporter(to, out, overwrite=overwrite)
    done = 0
    try:
        with line_bar("exporting", sum(part.count for part in parts), "messages") as advance:
            for part in parts:
                for entry in entries(reader, part, selection):
                    exporter.take(entry)
                    advance(done + entry.key.seq - part.first + 1)
                done += part.count
        exporter.close()
    except BaseException:
        exporter.discard()
        raise
    typer.echo(f"{out}: {exporter.written} {exporter.unit}")
    if reader.damaged:
        Console(stderr=True, soft_wrap=True, highlight=False).print(
            f"[bold red]damaged:[/] {reader.damaged} messages are left out: see linescan journal"
            f" verify"
        )
        raise typer.Exit(UNBALANCED)


@app.command("prune")
def prune(
    folder: Folder,
    older_than: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Remove what was published longer ago than this: 90m, 36h, 14d.",
            show_default=False,
        ),
    ] = None,
    to_size: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Remove the oldest until so much is left: 500MB, 20GB.",
            show_default=False,
        ),
    ] = None,
    keep_for: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="With --older-than, keep what this subscriber has not acknowledged; repeatable.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be removed.")
    ] = False,
) -> None:
    """Remove the oldest messages, by whole segments; the newest segment always stays.

    A running pipeline does so by itself, see journal.max_gb and journal.max_age_h; this is for
    journals that nobody writes any more, or for making room at once. It may be in use.

    Example: [bold]linescan journal prune journal --older-than 36h --dry-run[/]
    """
    from linescan.journal.by_hand import prune_by_hand

    if older_than is None and to_size is None:
        raise JournalError("say what may go: --older-than TIME, --to-size SIZE, or both")
    gone, left = prune_by_hand(
        folder,
        older_than_ns=None if older_than is None else duration_ns("--older-than", older_than),
        most_bytes=None if to_size is None else size_bytes("--to-size", to_size),
        keep_for=keep_for or (),
        dry_run=dry_run,
    )
    verb = "would remove" if dry_run else "removed"
    size = name_size(sum(choice.bytes for choice in gone))
    typer.echo(f"{verb} {len(gone)} segments ({size}); {name_size(left)} are left")
