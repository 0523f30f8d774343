"""``linescan subscribe``: receive results; print them, save pictures of them."""

from __future__ import annotations

import json
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from linescan.cli.exits import INTERRUPTED, OK, UNBALANCED
from linescan.cli.options import OwnKey, ServerKey, Timeout, keys_of
from linescan.client import Mode, Since, Subscriber, SubscribeTimeoutError
from linescan.ledger import name_account
from linescan.protocol import (
    CompletedEvent,
    EndEvent,
    FrameMessage,
    InspectionMessage,
    Kind,
    LossEvent,
    Message,
    ObjectsMessage,
)

if TYPE_CHECKING:
    from linescan.cli.saving import FrameSaver

IMAGE_WAIT_S: Final = 2.0
"""After the last of --count messages, the longest wait for the image of its frame."""


def subscribe(
    endpoint: Annotated[
        str, typer.Argument(help="Where the pipeline publishes.", show_default=False)
    ] = "tcp://127.0.0.1:5560",
    kind: Annotated[
        list[str] | None,
        typer.Option(
            help=f"What to receive: {', '.join(Kind)}; repeatable. Default: inspection (in mode"
            " objects, objects) and event.",
            show_default=False,
        ),
    ] = None,
    mode: Annotated[
        Mode,
        typer.Option(
            help="stream: all that arrives; live: always the newest; objects: no arrays; complete:"
            " every inspection and event once, fetched from the journal where it was missed."
        ),
    ] = Mode.STREAM,
    name: Annotated[
        str | None,
        typer.Option(
            help="Name of this subscriber; complete goes on where this name ended.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        Since | None,
        typer.Option(
            help="Where complete begins: acknowledged where not given; of a new name, that is"
            " oldest.",
            show_default=False,
        ),
    ] = None,
    control: Annotated[
        str | None,
        typer.Option(
            metavar="ENDPOINT",
            help="The pipeline's control socket, where its greeting does not name it.",
            show_default=False,
        ),
    ] = None,
    status: Annotated[
        str | None,
        typer.Option(
            metavar="ENDPOINT",
            help="The pipeline's status socket, where its greeting does not name it.",
            show_default=False,
        ),
    ] = None,
    server_key: ServerKey = None,
    key: OwnKey = None,
    camera: Annotated[
        str | None, typer.Option(help="Only this camera.", show_default=False)
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="End after N messages.")
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write depth (16-bit PNG), heat map, mask and overlay of each frame.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the header of each message as a line of JSON.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Stay for the next run when one has ended.")
    ] = False,
    timeout: Timeout = None,
) -> None:
    """Receive results until the run ends, and say what was missed.

    The exit code is 0 if every message from the first one on arrived, 1 if some were missed.

    Example: [bold]linescan subscribe tcp://127.0.0.1:5560 --count 10 --save pictures[/]
    """
    frames = Kind.OBJECTS if mode is Mode.OBJECTS else Kind.INSPECTION
    wanted = [Kind(k) if k in list(Kind) else k for k in kind or (frames, Kind.EVENT)]
    images = mode is not Mode.COMPLETE  # the journal keeps none
    received = {*wanted, *_for_pictures(images)} if save else {*wanted}
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    given = 0
    interrupted = False
    subscriber = Subscriber(
        endpoint,
        sorted(received),
        mode=mode,
        camera=camera,
        follow=follow,
        timeout_s=timeout,
        name=name,
        since=since,
        control=control,
        status=status,
        keys=keys_of(server_key, key),
    )
    with subscriber, _saver(save, images=images) as saver:
        try:
            for message in subscriber:
                if saver:
                    saver.take(message)
                if message.kind not in wanted:
                    continue
                typer.echo(json.dumps(dict(message.header)) if as_json else _line(message))
                given += 1
                if given == count:
                    if saver:
                        _take_images(subscriber, saver)
                    subscriber.acknowledge()
                    break
        except KeyboardInterrupt:
            interrupted = True
        lost = subscriber.missed + subscriber.malformed
        errors.print(
            f"{given} messages; {subscriber.missed} missed, {subscriber.malformed} malformed"
            + (f", {subscriber.skipped} skipped" if mode is Mode.LIVE else "")
            + (f", {subscriber.fetched} from the journal" if mode is Mode.COMPLETE else "")
        )
    if interrupted:
        raise typer.Exit(INTERRUPTED)
    raise typer.Exit(UNBALANCED if lost else OK)


def _for_pictures(images: bool) -> tuple[Kind, ...]:
    return (Kind.INSPECTION, Kind.IMAGE) if images else (Kind.INSPECTION,)


def _saver(folder: Path | None, *, images: bool) -> AbstractContextManager[FrameSaver | None]:
    if folder is None:
        return nullcontext()
    from linescan.cli.saving import FrameSaver

    return FrameSaver(folder, images=images)


def _take_images(subscriber: Subscriber, saver: FrameSaver) -> None:
    """Read on for the images of the inspections that wait, where they come soon."""
    deadline = time.monotonic() + IMAGE_WAIT_S
    while saver.waits and (left := deadline - time.monotonic()) > 0:
        subscriber.timeout_s = left
        try:
            message = next(subscriber)
        except (StopIteration, SubscribeTimeoutError):
            return
        if message.kind is Kind.IMAGE:
            saver.take(message)


def _line(message: Message) -> str:
    head = f"{message.camera} {message.kind}"
    match message:
        case EndEvent():
            totals = message.totals
            account = name_account(totals.captured, totals.published, totals.lost)
            return f"{head} end: {message.reason}; {account}"
        case LossEvent():
            last = message.first_line + message.count - 1
            return f"{head} loss: lines {message.first_line} to {last}, {message.cause}"
        case CompletedEvent():
            return f"{head} completed: {len(message.completed)} objects"
        case FrameMessage():
            last = message.first_line + message.line_count - 1
            text = f"{head} {message.seq}: lines {message.first_line} to {last}"
            if isinstance(message, InspectionMessage | ObjectsMessage):
                text += f", {len(message.objects)} objects, {len(message.completed)} complete"
            return text
    return f"{head} {getattr(message, 'type', None) or message.seq}"
