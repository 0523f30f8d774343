"""Reading and setting a camera's features, with errors that say what the camera would take."""

from __future__ import annotations

import contextlib
from typing import Any

from linescan.errors import SourceError
from linescan.sources.genicam.aliases import IN_BASE_UNIT, Alias

READ_ONLY = 3
"""GenApi's EAccessMode: NI 0, NA 1, WO 2, RO 3, RW 4."""
ANY_INTEGER = (-(2**63), 2**63 - 1)
"""Limits of a whole number that has none."""
KINDS = {
    "IInteger": "a whole number",
    "IFloat": "a number",
    "IBoolean": "true or false",
    "IString": "text",
    "ICommand": "a command, run by true",
    "IEnumeration": "one of its entries",
}


def find(node_map: Any, names: tuple[str, ...]) -> Any | None:
    """The first of the features that the camera has."""
    for name in names:
        if node_map.has_node(name):
            return getattr(node_map, name)
    return None


def kind_of(node: Any) -> str:
    """GenApi's interface of a feature, such as IInteger."""
    return type(node).__name__


def put(node_map: Any, alias: Alias, value: object) -> None:
    """Set a feature in the camera's own unit and type, if it has another value.

    Raises:
        SourceError: the camera has no such feature, or does not take the value.
    """
    node = find(node_map, alias.names)
    if node is None:
        near = suggest(node_map, alias.names[0])
        raise SourceError(
            f"the camera has no feature {' or '.join(alias.names)}{near}; leave it out, or find "
            "its name with 'linescan camera features'"
        )
    name = name_of(node, alias.names[0])
    value = _typed(node, name, _in_own_unit(node, alias, value))
    from genicam import genapi

    try:
        if kind_of(node) == "ICommand":
            node.execute()
        elif _readable(node) is None or node.value != value:
            _check_range(node, name, value)
            node.value = value
    except (genapi.OutOfRangeException, genapi.InvalidArgumentException) as error:
        raise SourceError(
            f"the camera's {name} cannot be {value}: it takes {describe_range(node)}"
        ) from error
    except genapi.AccessException as error:
        raise SourceError(
            f"the camera's {name} cannot be set to {value}: it is read-only, or locked by another "
            "setting; see it with 'linescan camera features'"
        ) from error
    except genapi.GenericException as error:
        raise SourceError(f"the camera's {name} cannot be {value}: {one_line(error)}") from error


def get(node_map: Any, alias: Alias) -> Any | None:
    """A feature's value in the alias's unit; None where the camera has none that can be read."""
    node = find(node_map, alias.names)
    value = None if node is None else _readable(node)
    if value is None or alias.unit is None or not isinstance(value, (int, float)):
        return value
    return value * _per_own_unit(node)


def name_of(node: Any, otherwise: str = "?") -> str:
    """A feature's name."""
    with contextlib.suppress(Exception):
        return str(node.node.name)
    return otherwise


def suggest(node_map: Any, name: str) -> str:
    """A hint at features with a similar name."""
    import difflib

    names = [name_of(node, "") for node in getattr(node_map, "nodes", ())]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.7)
    return f"; there is {', '.join(near)}" if near else ""


def describe_range(node: Any) -> str:
    """What a feature takes now."""
    with contextlib.suppress(Exception):
        if choices := getattr(node, "symbolics", None):
            return ", ".join(choices)
    with contextlib.suppress(Exception):
        step = getattr(node, "inc", 1) if kind_of(node) == "IInteger" else 1
        unit = str(getattr(node, "unit", "") or "")
        low, high = node.min, node.max
        if (low, high) != ANY_INTEGER:
            text = f"{low} to {high}" + (f" in steps of {step}" if step != 1 else "")
            return f"{text} {unit}".strip()
    return KINDS.get(kind_of(node), "other values")


def one_line(error: BaseException) -> str:
    """The message of an error without the library's place names."""
    text = str(error).split(" : ")[0].split(" (file ")[0]
    return " ".join(text.split()) or type(error).__name__


def _readable(node: Any) -> Any | None:
    try:
        return node.value
    except Exception:  # noqa: BLE001 - not readable now
        return None


def _check_range(node: Any, name: str, value: object) -> None:
    """Refuse what is out of range: some cameras take the nearest without a word."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return
    try:
        low, high = node.min, node.max
    except Exception:  # noqa: BLE001 - no limits to be had
        return
    if not low <= value <= high:
        raise SourceError(f"the camera's {name} cannot be {value}: it takes {describe_range(node)}")


def _typed(node: Any, name: str, value: object) -> object:
    """The value as the feature's type.

    Raises:
        SourceError: it is of another kind.
    """
    kind = kind_of(node)
    if kind == "IInteger" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return round(value)
    if kind == "IFloat" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if kind == "IBoolean" and isinstance(value, (bool, int)):
        return bool(value)
    if kind == "IEnumeration" and isinstance(value, bool):
        return "On" if value else "Off"
    if kind in ("IEnumeration", "IString"):
        return str(value)
    if kind in ("IInteger", "IFloat", "IBoolean") or (kind == "ICommand" and value is not True):
        raise SourceError(f"the camera's {name} is {KINDS[kind]}; {value!r} is not")
    return value


def _in_own_unit(node: Any, alias: Alias, value: object) -> object:
    if alias.unit is None or isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    return value / _per_own_unit(node)


def _per_own_unit(node: Any) -> float:
    """What one of the feature's own unit is in Hz, µs or µm."""
    return IN_BASE_UNIT.get(str(getattr(node, "unit", "") or "").strip().lower(), 1.0)
