"""The command line: ``linescan --help``. One file a group of commands.

Only typer and rich are imported at start; each command imports what it needs when it runs, so that
``linescan subscribe`` works where the pipeline is not installed.
"""

from __future__ import annotations

import sys

import typer
from rich.console import Console

import linescan
from linescan.cli import config, image, model, record, replay, run, simulate, subscribe, verify
from linescan.cli.exits import BAD_INPUT, INTERRUPTED
from linescan.errors import LinescanError, install_hint

EXTRAS = {
    "cv2": "cpu",
    "harvesters": "cpu",
    "pydantic": "cpu",
    "scipy": "cpu",
    "yaml": "cpu",
    "onnx": "export",
    "onnxscript": "export",
    "safetensors": "export",
    "torch": "export",
    "transformers": "export",
}
"""Which extra brings a module that a command may lack."""

app = typer.Typer(
    name="linescan",
    help="Line-scan camera pipeline: lines in, depth maps, masks and objects out over ZeroMQ.",
    epilog="Start with: linescan replay sim_data/parts   and, in a second terminal: "
    "linescan subscribe tcp://127.0.0.1:5560",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"linescan {linescan.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    pass


app.command("run")(run.run)
app.command("replay")(replay.replay)
app.command("record")(record.record)
app.command("simulate")(simulate.simulate)
app.command("image")(image.image)
app.command("subscribe")(subscribe.subscribe)
app.command("verify")(verify.verify)
app.add_typer(model.app, name="model")
app.add_typer(config.app, name="config")


def main() -> None:
    """Run the command line; a user's mistake ends in one sentence, not in a traceback."""
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        app()
    except LinescanError as error:
        errors.print(f"[bold red]error:[/] {_escape(str(error))}")
        sys.exit(BAD_INPUT)
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        hint = _escape(install_hint(extra))
        errors.print(f"[bold red]error:[/] this needs the package '{error.name}'; {hint}")
        sys.exit(BAD_INPUT)
    except KeyboardInterrupt:
        errors.print("interrupted")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of a pipe has left: nothing more to say to it
        sys.exit(INTERRUPTED)


def _escape(text: str) -> str:
    return text.replace("[", "\\[")
