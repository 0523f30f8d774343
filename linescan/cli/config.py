"""``linescan config``: check a configuration, print its schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from linescan.cli.options import Overrides

app = typer.Typer(
    help="Check a configuration file, print its JSON schema.",
    epilog="Example: linescan config check configs/replay.yaml",
    no_args_is_help=True,
)


@app.command(epilog="Example: linescan config check configs/replay.yaml --set frame.lines=1024")
def check(
    file: Annotated[Path, typer.Argument(help="The YAML file.", show_default=False)],
    overrides: Overrides = None,
    show: Annotated[bool, typer.Option("--show", help="Print all settings in force.")] = False,
) -> None:
    """Say whether a configuration is right, and if not, which line is wrong and why."""
    import yaml

    from linescan.config import load

    config = load(file, overrides or ())
    if show:
        settings = config.model_dump(mode="json")
        typer.echo(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True).rstrip())
    else:
        typer.echo(f"{file}: good; camera {config.camera}, source {config.source.type}")


@app.command(epilog="Example: linescan config schema > linescan.schema.json")
def schema() -> None:
    """Print the JSON schema of the configuration, for editors that complete and check YAML."""
    from linescan.config import Config

    typer.echo(json.dumps(Config.model_json_schema(), indent=2))
