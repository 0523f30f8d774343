"""Pydantic's validation errors as sentences that name the place and what was expected."""

from __future__ import annotations

import datetime
import difflib
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic_core import ErrorDetails

from linescan.config.delivery import BESIDE, ENDPOINT
from linescan.config.genicam import FEATURE
from linescan.config.journal import SUBSCRIBER
from linescan.config.root import CAMERA, Config
from linescan.config.sinks import (
    MQTT_PREFIX,
    MQTT_SERVER,
    NATS_PREFIX,
    NATS_SERVER,
    NATS_STREAM,
    SINK_NAME,
    VARIABLE,
)

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
    "finite_number": "a finite number",
    "missing": "a list such as [252, 252]",
    "too_long": "a list such as [252, 252]",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
    "greater_than": "a value above {gt:.10g}",
    "greater_than_equal": "at least {ge:.10g}",
    "less_than": "a value below {lt:.10g}",
    "less_than_equal": "at most {le:.10g}",
    "multiple_of": "a multiple of {multiple_of}",
    "literal_error": "{expected}",
    "tuple_type": "a list such as [252, 252]",
}
"""What was expected, by pydantic's error type; anything else keeps pydantic's own words."""


SCALARS = (bool, int, float, datetime.date)
"""What YAML makes of text that is not quoted."""


def explain(
    name: str,
    tree: yaml.Node | None,
    given: Mapping[tuple[str, ...], str],
    errors: Sequence[ErrorDetails],
) -> str:
    """One line for each wrong key.

    Args:
        name: of the file.
        tree: the file's YAML nodes, for line numbers.
        given: what did not come from the file, by key in the order of application: who gave it,
            such as ``--set a.b=c``.
        errors: what pydantic found.
    """
    by_key: dict[tuple[str, ...], list[ErrorDetails]] = {}
    for error in errors:
        tag = ("type",) if error["type"].startswith("union_tag") else ()
        by_key.setdefault(_walk(error["loc"] + tag)[0], []).append(error)
    return "\n".join(_line(name, tree, given, k, found) for k, found in by_key.items())


def _line(
    name: str,
    tree: yaml.Node | None,
    given: Mapping[tuple[str, ...], str],
    keys: tuple[str, ...],
    errors: Sequence[ErrorDetails],
) -> str:
    """What is wrong with one key, after the place where it was given."""
    sentence = _sentence(keys, errors)
    givers = [(k, giver) for k, giver in given.items() if k[: len(keys)] == keys[: len(k)]]
    if givers:
        key, giver = givers[-1]
        raw = giver.partition("=")[2]
        quoted = f"""--set '{".".join(keys)}="{raw}"'""" if key == keys else "its text"
        return f"{giver}: {sentence}{_quote(errors[0], quoted)}"
    # Positions are the only integers: keys are read as text.
    items = [part for error in errors for part in error["loc"] if isinstance(part, int)]
    node, line = _find(tree, keys, items[0] if items else None)
    quoted = f'"{node.value}"' if isinstance(node, yaml.ScalarNode) else ""
    return f"{name}:{line}: {sentence}{_quote(errors[0], quoted)}"


def _quote(error: ErrorDetails, quoted: str) -> str:
    """What to write where text such as 0123 or yes was taken for a number or a boolean."""
    is_text = error["type"] in ("string_type", "path_type")
    return f"; quote it: {quoted}" if is_text and isinstance(error["input"], SCALARS) else ""


def _sentence(keys: tuple[str, ...], errors: Sequence[ErrorDetails]) -> str:
    first = errors[0]
    dotted = ".".join(keys)
    match first["type"]:
        case "extra_forbidden":
            return _unknown(keys, first["loc"])
        case "missing" if not isinstance(first["loc"][-1], int):
            return f"'{dotted}' is missing"
        case "union_tag_not_found" | "union_tag_invalid":
            tags = first.get("ctx", {}).get("expected_tags", "")
            kinds = tags or ", ".join(repr(tag) for tag in _source_models())
            return f"'{dotted}': expected one of {kinds}"
        case "value_error":
            return f"'{dotted}': {first['ctx']['error']}"
    wanted = " or ".join(dict.fromkeys(_expected(error) for error in errors))
    return f"'{dotted}': expected {wanted}{_got(keys, first['input'])}"


def _got(keys: tuple[str, ...], value: object) -> str:
    """What was given instead; not of a sink: it may be a password in a wrong place."""
    return "" if keys[0] == "sinks" else f", got {value!r}"


PATTERNS = {
    CAMERA: "a name of letters, digits, '.', '_' and '-', such as web-1",
    ENDPOINT: "an endpoint of this machine, with a port up to 65535, such as "
    "tcp://127.0.0.1:5560 or ipc:///run/linescan",
    BESIDE: "auto, null or an endpoint of this machine, such as tcp://127.0.0.1:5561",
    FEATURE: "names of features, such as GammaEnable",
    MQTT_PREFIX: "a topic without wildcards, such as linescan/1",
    MQTT_SERVER: "a server such as mqtt://127.0.0.1:1883, no user or password in it",
    NATS_PREFIX: "a subject without wildcards, such as linescan.1",
    NATS_SERVER: "servers such as nats://127.0.0.1:4222, no user or password in them",
    NATS_STREAM: "up to 64 letters, digits, '_' and '-'",
    SUBSCRIBER: "names of subscribers, up to 63 letters, digits, '.', '_' and '-'",
    SINK_NAME: "up to 58 letters, digits, '.', '_' and '-'",
    VARIABLE: "the name of an environment variable, such as BROKER_PASSWORD",
}
"""What a pattern stands for, in words."""


def _expected(error: ErrorDetails) -> str:
    if error["type"] == "string_pattern_mismatch":
        return PATTERNS[error["ctx"]["pattern"]]
    known = EXPECTED.get(error["type"])
    if known:
        return known.format(**error.get("ctx", {}))
    return error["msg"].removeprefix("Input should be ")


def _unknown(keys: tuple[str, ...], loc: tuple[int | str, ...]) -> str:
    """What is said of a key that is not known where it stands."""
    key, here = keys[-1], list(_walk(loc)[1].model_fields)
    kind = loc[1] if len(loc) == 3 and keys[0] == "source" else None
    if kind and any(key in model.model_fields for model in _source_models().values()):
        return f"source type {kind} has no key '{key}'; it has: {', '.join(here)}"
    close = difflib.get_close_matches(key, here, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"known here: {', '.join(here)}"
    return f"unknown key '{'.'.join(keys)}'; {hint}"


def _walk(loc: Sequence[int | str]) -> tuple[tuple[str, ...], type[BaseModel]]:
    """Pydantic's location as keys of the file, and the section that holds the last of them.

    Union tags and positions in lists are left out.
    """
    keys: list[str] = []
    holder: type[BaseModel] = Config
    inside: type[BaseModel] | None = Config
    for at, part in enumerate(map(str, loc)):
        if at == 1 and keys == ["source"] and part in _source_models():
            inside = _source_models()[part]
            continue
        if inside is None:
            break
        keys.append(part)
        holder, inside = inside, next(_models(inside, part), None)
    return tuple(keys), holder


def _models(model: type[BaseModel], key: str) -> Iterator[type[BaseModel]]:
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


def _find(
    node: yaml.Node | None, keys: tuple[str, ...], item: int | None
) -> tuple[yaml.Node | None, int]:
    """Deepest node of ``keys`` (of its ``item``, where it is a list), and its line, from 1."""
    line = 1
    for key in keys:
        if not isinstance(node, yaml.MappingNode):
            return None, line
        found = next((pair for pair in node.value if pair[0].value == key), None)
        if found is None:
            return None, line
        line, node = found[0].start_mark.line + 1, found[1]
    if item is not None and isinstance(node, yaml.SequenceNode) and item < len(node.value):
        node = node.value[item]
        line = node.start_mark.line + 1
    return node, line
