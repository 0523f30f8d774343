"""``linescan verify``: prove that every captured line was published or lost for a cause."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from linescan.cli.exits import INTERRUPTED, OK, UNBALANCED
from linescan.cli.options import OwnKey, ServerKey, Timeout, keys_of
from linescan.errors import LinescanError
from linescan.ledger import name_account

if TYPE_CHECKING:
    from linescan.client import ClientKeys


def verify(
    what: Annotated[
        str,
        typer.Argument(
            help="Endpoint of a running pipeline, such as tcp://127.0.0.1:5560, or the file that "
            "--summary wrote.",
            show_default=False,
        ),
    ],
    camera: Annotated[
        str | None, typer.Option(help="Only this camera.", show_default=False)
    ] = None,
    timeout: Timeout = None,
    server_key: ServerKey = None,
    key: OwnKey = None,
) -> None:
    """Audit a pipeline: captured = published + lost by cause, to the line.

    On a live stream it adds up what really arrived, from [bold]start[/] to [bold]end[/], and holds
    it against the pipeline's own account; it must be there before the run starts (see
    [bold]--wait-subscribers[/]). The exit code is 0 only if the account balances. Where the
    stream breaks off, or with Ctrl-C, it says what can be said of what came until then.

    Example: [bold]linescan verify tcp://127.0.0.1:5560[/]
    """
    interrupted = False
    if "://" in what:
        findings, interrupted = _verify_stream(what, camera, timeout, keys_of(server_key, key))
    else:
        findings = _verify_summary(Path(what))
    if not findings:
        typer.echo("balanced: every captured line was published or lost for a stated cause")
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    for finding in findings:
        errors.print(f"[bold red]not balanced:[/] {finding}")
    if interrupted:
        raise typer.Exit(INTERRUPTED)
    raise typer.Exit(UNBALANCED if findings else OK)


def _verify_summary(path: Path) -> list[str]:
    try:
        ledger = json.loads(path.read_text(encoding="utf-8"))["ledger"]
        captured, published = int(ledger["captured"]), int(ledger["published"])
        lost = {str(cause): int(count) for cause, count in ledger["lost"].items()}
        phantom = int(ledger["phantom"])
    except FileNotFoundError as error:
        raise LinescanError(f"{path}: no such file; an endpoint has the form tcp://…") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LinescanError(f"{path}: not a summary of 'linescan run': {error!r}") from error
    typer.echo(name_account(captured, published, lost))
    findings = []
    missing = captured - published - sum(lost.values())
    if missing:
        findings.append(f"{missing} captured lines were neither published nor reported lost")
    if phantom:
        findings.append(f"{phantom} lines have a fate without ever being captured")
    return findings


def _verify_stream(
    endpoint: str, camera: str | None, timeout: float | None, keys: ClientKeys | None
) -> tuple[list[str], bool]:
    """What is wrong with the stream, and whether Ctrl-C ended it."""
    from linescan.client import StreamAudit, Subscriber, SubscribeTimeoutError

    audits: dict[str, StreamAudit] = {}
    findings: list[str] = []
    interrupted = False
    kinds = ("inspection", "event")
    with Subscriber(endpoint, kinds, camera=camera, timeout_s=timeout, keys=keys) as subscriber:
        try:
            for message in subscriber:
                audits.setdefault(message.camera, StreamAudit()).feed(message)
        except SubscribeTimeoutError as error:
            if not audits:
                raise
            findings.append(str(error))
        except KeyboardInterrupt:
            if not audits:
                raise
            interrupted = True
    if not audits:
        findings.append("nothing was received")
    for name, audit in audits.items():
        result = audit.result()
        typer.echo(f"{name}: {result.explain().splitlines()[0]}")
        findings += [f"{name}: {finding}" for finding in result.findings]
    return findings, interrupted
