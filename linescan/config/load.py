"""Read YAML into ``Config``; every error names the file, the line and what was expected."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from linescan.config.document import read
from linescan.config.explain import explain
from linescan.config.root import Config
from linescan.config.source import Source
from linescan.errors import ConfigError

PATHS = (
    ("source", "path"),
    ("source", "producer"),
    ("source", "virtual", "recording"),
    ("correction", "flat_field"),
    ("depth", "model"),
    ("journal", "folder"),
    ("sinks", "nats", "password_file"),
    ("sinks", "nats", "ca"),
    ("sinks", "nats", "cert"),
    ("sinks", "nats", "key"),
    ("sinks", "mqtt", "password_file"),
    ("sinks", "mqtt", "ca"),
    ("sinks", "mqtt", "cert"),
    ("sinks", "mqtt", "key"),
    ("sinks", "nats", "token_file"),
    ("sinks", "nats", "credentials"),
    ("publish", "security", "server_key"),
    ("publish", "security", "allow"),
)
"""Keys that name files: a relative one is relative to the configuration file's folder."""


def load(path: Path, overrides: Sequence[str] = (), source: Source | None = None) -> Config:
    """Read a configuration file.

    Args:
        path: the YAML file.
        overrides: ``a.b=c`` items that replace or add keys; values are YAML.
        source: replaces the file's ``source``.

    Raises:
        ConfigError: the file cannot be read, is no YAML, or breaks the schema.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot read the configuration: {error}") from error
    return parse(text, str(path), overrides, folder=path.parent, source=source)


def parse(
    text: str,
    name: str,
    overrides: Sequence[str] = (),
    *,
    folder: Path | None = None,
    source: Source | None = None,
) -> Config:
    """Turn YAML text into a configuration.

    Args:
        text: the YAML.
        name: stands for the file in errors.
        overrides: as for ``load``.
        folder: relative paths in the text are relative to it; None leaves them alone.
        source: replaces the text's ``source``.

    Raises:
        ConfigError: the text is no YAML, or breaks the schema.
    """
    tree, data = read(text, name, lambda line: f"{name}:{line}")
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ConfigError(f"{name}: expected keys such as 'camera:' and 'source:' at the top")
    if folder is not None:
        _change_paths(data, lambda value: os.path.normpath(folder / _home(value)))
    given: dict[tuple[str, ...], str] = {}
    if source is not None:
        data["source"] = source.model_dump()
        given["source",] = "the command line"
    for item in overrides:
        keys, value = _override(item)
        _put(data, keys, value)
        given.pop(keys, None)  # The last one wins, also in messages.
        given[keys] = f"--set {item}"
    _change_paths(data, _home)
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise ConfigError(explain(name, tree, given, error.errors())) from error


def _home(path: str) -> str:
    try:
        return str(Path(path).expanduser())
    except RuntimeError:  # ~name of nobody: taken as written, and missed where it is opened.
        return path


def _change_paths(data: Mapping[str, Any], change: Callable[[str], str]) -> None:
    for *sections, key in PATHS:
        part: Any = data
        for section in sections:
            part = part.get(section) if isinstance(part, dict) else None
        value = part.get(key) if isinstance(part, dict) else None
        if not isinstance(value, str) or not value.strip():
            continue
        if key != "model" or value.endswith(".onnx"):
            part[key] = change(value)


def _override(item: str) -> tuple[tuple[str, ...], Any]:
    key, equals, value = item.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {item}: expected key=value, such as frame.lines=1024")
    name = f"--set {item}"
    return tuple(key.strip().split(".")), read(value, name, lambda _: name)[1]


def _put(data: dict[str, Any], keys: tuple[str, ...], value: Any) -> None:
    for key in keys[:-1]:
        child = data.get(key)
        if not isinstance(child, dict):
            child = data[key] = {}
        data = child
    data[keys[-1]] = value
