"""Writes the generated pages of docs/reference from the code: python scripts/make_reference.py.

configuration.md and config.schema.json come from the pydantic models, cli.md from the command line.
With ``--check`` nothing is written; the exit code is 1 if a committed page is out of date.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from typer.main import get_command

from linescan.cli import app
from linescan.config import Config

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
MADE_BY = "<!-- Made by scripts/make_reference.py: change the code, then run it. -->\n"
CONFIGURATION = """
# The configuration

A configuration is one YAML file for one camera. `linescan run` takes it. `linescan config check`
says whether it is right and, if not, which line is wrong; with `--show` it prints all settings in
force. `--set KEY=VALUE` on the command line replaces one key and passes the same checks.

- A key that is not known is an error.
- Only `source.type` and what that source needs must be given; everything else has a default.
- Relative paths in a file (`source.path`, `source.producer`, `correction.flat_field`, an `.onnx`
  file of `depth.model`) are relative to that file; given with `--set` they are relative to the
  working folder.
- Editors that know JSON schema complete and check the file with
  [config.schema.json](config.schema.json), also printed by `linescan config schema`.

Files to begin with: `configs/demo.yaml` (a recording), `configs/replay.yaml` (images),
`configs/camera.yaml` (a camera), `configs/fine.yaml` (finer masks at twice the cost).
"""
CLI = """
# The command line

Every command answers `--help`. Exit codes of all commands:

| code | meaning |
|---|---|
| 0 | done, and the ledger balances |
| 1 | the ledger does not balance, or a check of the stream failed |
| 2 | bad input: a file, configuration, model, endpoint or argument; the message says which |
| 130 | ended by Ctrl-C, after everything under way was accounted for |

Messages and logs go to standard error, results to standard output.
"""


def main() -> int:
    """Write the pages, or compare them; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    stale = [path for path, text in pages().items() if not _is_current(path, text)]
    for path in stale:
        print(f"{path}: {'out of date, run scripts/make_reference.py' if check else 'written'}")
        if not check:
            path.write_text(pages()[path], encoding="utf-8")
    return 1 if check and stale else 0


def pages() -> dict[Path, str]:
    """The text of each generated page, by its path."""
    schema = Config.model_json_schema()
    return {
        FOLDER / "config.schema.json": json.dumps(schema, indent=2) + "\n",
        FOLDER / "configuration.md": configuration_page(schema),
        FOLDER / "cli.md": cli_page(get_command(app)),
    }


def _is_current(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


# The configuration, from its JSON schema ----------------------------------------------------------


def configuration_page(schema: Mapping[str, Any]) -> str:
    """One table a section, in the order of the file."""
    return MADE_BY + CONFIGURATION + "".join(_section("", schema, schema["$defs"], "##"))


def _section(
    name: str, model: Mapping[str, Any], known: Mapping[str, Any], heading: str
) -> Iterator[str]:
    """The table of one section, then its parts."""
    title = f"`{name}`" if name else "Top level"
    kind = model["properties"].get("type", {}).get("const")
    if kind:
        title = f"`{name}` with `type: {kind}`"
    yield f"\n{heading} {title}\n\n{_plain(model['description'])}\n\n"
    yield "| key | value | default | meaning |\n|---|---|---|---|\n"
    inner: list[tuple[str, Mapping[str, Any]]] = []
    required = model.get("required", ())
    for key, field in model["properties"].items():
        path = f"{name}.{key}" if name else key
        parts = [known[ref] for ref in _references(field)]
        inner += [(path, part) for part in parts]
        value = "keys, see below" if parts else _values(field)
        default = "**required**" if key in required else _default(field, bool(parts))
        meaning = field.get("description") or parts[0]["description"]
        yield f"| `{path}` | {value} | {default} | {_plain(meaning)} |\n"
    for path, part in inner:
        yield from _section(path, part, known, heading if not name else heading + "#")


def _references(field: Mapping[str, Any]) -> list[str]:
    """Names of the sections that a field may hold."""
    choices = [field, *field.get("oneOf", ()), *field.get("anyOf", ())]
    return [choice["$ref"].rpartition("/")[2] for choice in choices if "$ref" in choice]


def _values(field: Mapping[str, Any]) -> str:
    """What a key may hold, in words."""
    if "anyOf" in field:
        texts = [_values(choice) for choice in field["anyOf"]]
        return " or ".join(text for text in texts if text)
    if "const" in field:
        return _code(field["const"])
    if "enum" in field:
        return ", ".join(_code(value) for value in field["enum"])
    if "prefixItems" in field:
        items = field["prefixItems"]
        return f"list of {len(items)}, each: {_values(items[0])}"
    if "pattern" in field:
        return f"text that matches {_code(field['pattern'])}"
    if field.get("format") == "path":
        return "path"
    if field["type"] == "object":
        (values,) = field["patternProperties"].values()
        return f"names and values: {_values(values)}"
    if field["type"] == "array":
        return f"list, each: {_values(field['items'])}"
    names = {"integer": "whole number", "number": "number", "boolean": "`true` or `false`"}
    text = {**names, "string": "text", "null": ""}[field["type"]]
    return f"{text}{_limits(field)}"


def _limits(field: Mapping[str, Any]) -> str:
    words = {
        "exclusiveMinimum": "above",
        "minimum": "at least",
        "exclusiveMaximum": "below",
        "maximum": "at most",
        "multipleOf": "multiple of",
    }
    limits = [f"{word} {field[key]:.10g}" for key, word in words.items() if key in field]
    return f" ({', '.join(limits)})" if limits else ""


def _default(field: Mapping[str, Any], is_section: bool) -> str:
    default = field.get("default")
    return "–" if is_section or default is None else _code(default)


def _code(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return f"`{text}`".replace("|", "\\|")


# The command line, from its commands --------------------------------------------------------------


def cli_page(root: Any) -> str:
    """One part a command, in the order of ``--help``."""
    parts = [_command(name, command) for name, command in walk(root)]
    return MADE_BY + CLI + "".join(parts)


def walk(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each command that runs something, by its full name."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from walk(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def _command(name: str, command: Any) -> str:
    shown = [p for p in command.params if not p.hidden]
    arguments = [p for p in shown if p.param_type_name == "argument"]
    options = [p for p in shown if p.param_type_name == "option"]
    usage = " ".join([f"linescan {name}", *map(_usage, arguments), *["[OPTIONS]"] * bool(options)])
    text = f"\n## linescan {name}\n\n```text\n{usage}\n```\n\n{_help(command.help)}\n"
    if command.epilog:
        text += f"\n{_examples(command.epilog)}\n"
    rows = [f"| `{p.name.upper()}` | {_meaning(p)} |\n" for p in arguments]
    rows += [f"| {_flags(p)} | {_meaning(p)} |\n" for p in options]
    table = "\n| argument or option | meaning |\n|---|---|\n" if rows else ""
    return text + table + "".join(rows)


def _usage(argument: Any) -> str:
    name = argument.name.upper() + (" …" if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"


def _flags(option: Any) -> str:
    flags = ", ".join(f"`{flag}`" for flag in sorted(option.opts, key=len, reverse=True))
    if option.is_flag:
        return flags
    metavar = option.metavar or option.name.upper()
    return f"{flags} `{metavar}`".replace("|", "\\|")


def _meaning(parameter: Any) -> str:
    text = _plain(parameter.help or "")
    if parameter.required:
        return f"{text} **Required.**"
    default = parameter.default
    if default is None or (parameter.param_type_name == "option" and parameter.is_flag):
        return text
    return f"{text} Default: `{default}`."


def _help(text: str) -> str:
    """A docstring with rich's markup as Markdown; examples become code."""
    paragraphs = [_plain(" ".join(p.split())) for p in text.strip().split("\n\n")]
    return "\n\n".join(_examples(p) if p.startswith("Example") else p for p in paragraphs)


def _examples(text: str) -> str:
    _, _, commands = text.replace("`", "").partition(": ")
    lines = "\n".join(command.strip() for command in commands.split("   |   "))
    return f"```text\n{lines}\n```"


def _plain(text: str) -> str:
    """Docstring or help text as one line of Markdown."""
    text = " ".join(text.replace("``", "`").split())
    text = re.sub(r"\[bold\](.*?)\[/\]", r"`\1`", text)
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
