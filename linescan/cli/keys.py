"""``linescan keys``: make keys, and say who may connect."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from linescan.cli.exits import UNBALANCED
from linescan.errors import KeyFileError

app = typer.Typer(
    help="Make keys for pipelines and subscribers, and say who may connect.",
    epilog="Example: linescan keys new camera-1",
    no_args_is_help=True,
)

Folder = Annotated[
    Path,
    typer.Option(help="The allow-list: what publish.security.allow names."),
]


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="Name of the key.", show_default=False)],
    folder: Annotated[Path, typer.Option(help="Where the two files go.")] = Path(),
) -> None:
    """Make a pair of keys: NAME.key is public, NAME.key_secret stays on this machine.

    A pipeline needs one pair, and each subscriber one of its own.

    Example: [bold]linescan keys new camera-1 --folder keys[/]
    """
    from linescan.keys import check_key_name, new_pair, write_pair

    pair = new_pair()
    public, secret = write_pair(folder, check_key_name(name), pair)
    typer.echo(f"{public}: public, give it away: {pair.public.decode()}")
    typer.echo(f"{secret}: secret, only this user can read it")


@app.command("allow")
def allow(
    key: Annotated[
        str,
        typer.Argument(
            help="The subscriber's public key file, or its 40 characters (quoted, after --).",
            show_default=False,
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="What to call it; by default as its file.", show_default=False
        ),
    ] = None,
    folder: Folder = Path("allowed"),
) -> None:
    """Let a subscriber connect, from its next attempt on; the pipeline goes on running.

    Example: [bold]linescan keys allow qc-1.key[/]
    """
    from linescan.keys import PUBLIC, check_key_name, read_public, write_public

    public = read_public(key)
    if name is None:
        if not key.endswith(PUBLIC):
            raise KeyFileError("--name is missing: what this key is called in the allow-list")
        name = Path(key).name.removesuffix(PUBLIC)
    typer.echo(f"{write_public(folder, check_key_name(name), public)}: allowed")


@app.command("list")
def ls(folder: Folder = Path("allowed")) -> None:
    """List who may connect. The exit code is 1 if a file there is no public key.

    Example: [bold]linescan keys list[/]
    """
    from linescan.keys import PUBLIC, read_public

    if not folder.is_dir():
        raise KeyFileError(f"{folder}: there is no such folder: linescan keys allow makes it")
    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    wrong = False
    for path in sorted(folder.glob(f"[!.]*{PUBLIC}")):
        try:
            public = read_public(path).decode()
        except KeyFileError as error:
            errors.print(f"wrong: {error}")
            wrong = True
        else:
            typer.echo(f"{public}  {path.name.removesuffix(PUBLIC)}")
    if wrong:
        raise typer.Exit(UNBALANCED)


@app.command("remove")
def remove(
    name: Annotated[str, typer.Argument(help="Name in the allow-list.", show_default=False)],
    folder: Folder = Path("allowed"),
) -> None:
    """Let a subscriber connect no more; one that is connected stays until it reconnects.

    Example: [bold]linescan keys remove qc-1[/]
    """
    from linescan.keys import PUBLIC, check_key_name

    path = folder / (check_key_name(name) + PUBLIC)
    try:
        path.unlink()
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be removed: {error.strerror}") from None
    typer.echo(f"{path}: removed; restart the pipeline to end a connection that is open")
