"""Read YAML into ``Config``; every error names the file, the line and what was expected."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from linescan.config.root import Config
from linescan.errors import ConfigError

PATHS = (("source", "path"), ("source", "producer"), ("depth", "model"))
"""Keys that name files: a relative one is relative to the configuration file's folder."""


def load(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read a configuration file.

    Args:
        path: the YAML file.
        overrides: ``a.b=c`` items that replace or add keys; values are YAML.

    Raises:
        ConfigError: the file cannot be read, is no YAML, or breaks the schema.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot read the configuration: {error}") from error
    return parse(text, str(path), overrides, folder=path.parent)


def parse(
    text: str, name: str, overrides: Sequence[str] = (), *, folder: Path | None = None
) -> Config:
    """Turn YAML text into a configuration; ``name`` stands for the file in errors."""
    try:
        data = yaml.safe_load(text)
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}: not valid YAML: {error}") from error
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ConfigError(f"{name}: expected keys such as 'camera:' and 'source:' at the top")
    if folder is not None:
        _resolve_paths(data, folder)
    given = dict(_override(item) for item in overrides)
    for keys, value in given.items():
        _put(data, keys, value)
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        lines = [_explain(name, tree, given, e) for e in error.errors()]
        raise ConfigError("\n".join(lines)) from error


def _resolve_paths(data: Mapping[str, Any], folder: Path) -> None:
    for section, key in PATHS:
        part: Any = data.get(section)
        value = part.get(key) if isinstance(part, dict) else None
        if not isinstance(value, str) or (key == "model" and not value.endswith(".onnx")):
            continue
        part[key] = str(folder / Path(value).expanduser())


def _override(item: str) -> tuple[tuple[str, ...], Any]:
    key, equals, value = item.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {item}: expected key=value, such as frame.lines=1024")
    try:
        return tuple(key.strip().split(".")), yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {item}: the value is not valid YAML: {error}") from error


def _put(data: dict[str, Any], keys: tuple[str, ...], value: Any) -> None:
    for key in keys[:-1]:
        child = data.get(key)
        if not isinstance(child, dict):
            child = data[key] = {}
        data = child
    data[keys[-1]] = value


def _explain(
    name: str, tree: yaml.Node | None, given: Iterable[tuple[str, ...]], error: ErrorDetails
) -> str:
    keys = _keys(error["loc"])
    dotted = ".".join(keys) or "the configuration"
    place = f"--set {dotted}" if keys in given else f"{name}:{_line(tree, keys)}"
    if error["type"] == "extra_forbidden":
        return f"{place}: unknown key '{dotted}'{_suggest(keys)}"
    if error["type"] == "missing":
        return f"{place}: '{dotted}' is missing"
    if error["type"] in {"union_tag_not_found", "union_tag_invalid"}:
        kinds = "recording, images, simulated or genicam"
        return f"{place}: 'source.type' must be one of {kinds}"
    return f"{place}: '{dotted}': {error['msg']}, got {error['input']!r}"


def _keys(loc: tuple[int | str, ...]) -> tuple[str, ...]:
    """Pydantic's location as keys of the file: without union tags and list positions."""
    keys = [str(part) for part in loc]
    if len(keys) > 1 and keys[0] == "source":
        del keys[1]
    at: type[BaseModel] | None = Config
    for depth, key in enumerate(keys):
        if at is None and keys[0] != "source":
            return tuple(keys[:depth])
        field = at.model_fields.get(key) if at else None
        kind = field.annotation if field else None
        at = kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
    return tuple(keys)


def _line(node: yaml.Node | None, keys: tuple[str, ...]) -> int:
    """Line of the deepest of ``keys`` that the file holds, from 1."""
    line = 1
    for key in keys:
        if not isinstance(node, yaml.MappingNode):
            break
        for key_node, value_node in node.value:
            if key_node.value == key:
                line, node = key_node.start_mark.line + 1, value_node
                break
        else:
            break
    return line


def _suggest(keys: tuple[str, ...]) -> str:
    at: Any = Config
    for key in keys[:-1]:
        field = at.model_fields.get(key)
        at = field.annotation if field else None
        if not (isinstance(at, type) and issubclass(at, BaseModel)):
            return ""
    known = list(at.model_fields)
    close = difflib.get_close_matches(keys[-1], known, n=1)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; known here: {', '.join(known)}"
