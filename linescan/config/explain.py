"""Pydantic's validation errors as sentences that name the place and what was expected."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic_core import ErrorDetails

from linescan.config.delivery import ENDPOINT
from linescan.config.root import CAMERA, Config

EXPECTED = {
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "text",
    "path_type": "a path",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
    "greater_than": "a value above {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "a value below {lt}",
    "less_than_equal": "at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "literal_error": "{expected}",
    "tuple_type": "a list such as [252, 252]",
}
"""What was expected, by pydantic's error type; anything else keeps pydantic's own words."""


def explain(
    name: str,
    tree: yaml.Node | None,
    overrides: Mapping[tuple[str, ...], str],
    errors: Sequence[ErrorDetails],
) -> str:
    """One line for each wrong key.

    Args:
        name: of the file.
        tree: the file's YAML nodes, for line numbers.
        overrides: the ``a.b=c`` items that were applied, by key.
        errors: what pydantic found.
    """
    by_key: dict[tuple[str, ...], list[ErrorDetails]] = {}
    for error in errors:
        tag = ("type",) if error["type"].startswith("union_tag") else ()
        by_key.setdefault(_keys(error["loc"] + tag), []).append(error)
    lines = []
    for keys, found in by_key.items():
        override = next((o for k, o in overrides.items() if k[: len(keys)] == keys), None)
        place = f"--set {override}" if override else f"{name}:{_line(tree, keys)}"
        lines.append(f"{place}: {_sentence(keys, found)}")
    return "\n".join(lines)


def _sentence(keys: tuple[str, ...], errors: Sequence[ErrorDetails]) -> str:
    first = errors[0]
    dotted = ".".join(keys)
    match first["type"]:
        case "extra_forbidden":
            return f"unknown key '{dotted}'{_suggest(keys)}"
        case "missing":
            return f"'{dotted}' is missing"
        case "union_tag_not_found" | "union_tag_invalid":
            tags = first.get("ctx", {}).get("expected_tags", "")
            kinds = tags or ", ".join(repr(tag) for tag in _source_models())
            return f"'{dotted}': expected one of {kinds}"
        case "value_error":
            return f"'{dotted}': {first['ctx']['error']}"
    wanted = " or ".join(dict.fromkeys(_expected(error) for error in errors))
    return f"'{dotted}': {wanted}, got {first['input']!r}"


PATTERNS = {
    CAMERA: "a name of letters, digits, '.', '_' and '-', such as web-1",
    ENDPOINT: "an endpoint on this machine, such as tcp://127.0.0.1:5560 or ipc:///run/linescan",
}
"""What a pattern stands for, in words."""


def _expected(error: ErrorDetails) -> str:
    if error["type"] == "string_pattern_mismatch":
        return f"expected {PATTERNS[error['ctx']['pattern']]}"
    known = EXPECTED.get(error["type"])
    return f"expected {known.format(**error.get('ctx', {}))}" if known else error["msg"]


def _keys(loc: tuple[int | str, ...]) -> tuple[str, ...]:
    """Pydantic's location as keys of the file: without union tags and positions in lists."""
    keys: list[str] = []
    models: list[type[BaseModel]] = [Config]
    for part in map(str, loc):
        if keys == ["source"] and part in _source_models():
            models = [_source_models()[part]]
            continue
        if not models:
            break
        keys.append(part)
        models = list(_models(models[0], part))
    return tuple(keys)


def _models(model: type[BaseModel], key: str) -> Iterator[type[Any]]:
    """The models that a key of a model may hold."""
    field = model.model_fields.get(key)
    pending: list[Any] = [field.annotation] if field else []
    while pending:
        kind = pending.pop()
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield kind
        elif get_origin(kind) in (Annotated, Union, types.UnionType):
            pending += get_args(kind)


def _source_models() -> dict[str, type[BaseModel]]:
    return {m.model_fields["type"].default: m for m in _models(Config, "source")}


def _line(node: yaml.Node | None, keys: tuple[str, ...]) -> int:
    """Line of the deepest of ``keys`` that the file holds, from 1."""
    line = 1
    for key in keys:
        if not isinstance(node, yaml.MappingNode):
            break
        found = next((pair for pair in node.value if pair[0].value == key), None)
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line


def _suggest(keys: tuple[str, ...]) -> str:
    known: set[str] = set()
    models: list[type[BaseModel]] = [Config]
    for key in keys[:-1]:
        models = [child for model in models for child in _models(model, key)]
    ordered = [key for model in models for key in model.model_fields]
    known.update(ordered)
    close = difflib.get_close_matches(keys[-1], sorted(known), n=1)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; known here: {', '.join(dict.fromkeys(ordered))}"
