"""Setting a camera's features, with errors that say what the camera would take."""

from __future__ import annotations

from typing import Any

from linescan.errors import SourceError

LINE_RATE = ("AcquisitionLineRate", "AcquisitionLineRateAbs", "LineRate")
"""The standard's name first, then those of older cameras."""
LINE_RATE_ENABLE = ("AcquisitionLineRateEnable",)
_PER_HZ = {"khz": 1e-3, "mhz": 1e-6}


def find(node_map: Any, names: tuple[str, ...]) -> Any | None:
    """The first of the features that the camera has."""
    for name in names:
        if node_map.has_node(name):
            return getattr(node_map, name)
    return None


def put(node_map: Any, names: tuple[str, ...], value: object) -> None:
    """Set a feature, if it has another value.

    Raises:
        SourceError: the camera has no such feature, or does not take the value.
    """
    node = find(node_map, names)
    if node is None:
        raise SourceError(f"the camera has no feature {' or '.join(names)}")
    from genicam import genapi

    try:
        if node.value != value:
            node.value = value
    except genapi.OutOfRangeException as error:
        raise SourceError(
            f"the camera's {names[0]} cannot be {value}: it takes {_range(node)}"
        ) from error
    except genapi.InvalidArgumentException as error:
        raise SourceError(
            f"the camera's {names[0]} cannot be {value}: it takes {_range(node)}"
        ) from error
    except genapi.AccessException as error:
        raise SourceError(
            f"the camera's {names[0]} cannot be set to {value}: it is read-only or locked"
        ) from error
    except genapi.GenericException as error:
        raise SourceError(
            f"the camera's {names[0]} cannot be {value}: {one_line(error)}"
        ) from error


def put_line_rate(node_map: Any, rate_hz: float) -> None:
    """Set the line rate in the unit that the camera uses.

    Raises:
        SourceError: the camera has no line rate, or does not take this one.
    """
    if find(node_map, LINE_RATE_ENABLE) is not None:
        put(node_map, LINE_RATE_ENABLE, value=True)
    node = find(node_map, LINE_RATE)
    value = rate_hz * _per_hz(node)
    put(node_map, LINE_RATE, round(value) if _is_integer(node) else value)


def line_rate(node_map: Any) -> float | None:
    """The line rate in Hz that the camera is set to, where it says so."""
    node = find(node_map, LINE_RATE)
    try:
        return None if node is None else float(node.value) / _per_hz(node) or None
    except Exception:  # noqa: BLE001 - not readable now; it is for information only
        return None


def one_line(error: BaseException) -> str:
    """The message of an error without the library's place names."""
    text = str(error).split(" : ")[0].split(" (file ")[0]
    return " ".join(text.split()) or type(error).__name__


def _range(node: Any) -> str:
    choices = getattr(node, "symbolics", None)
    if choices:
        return ", ".join(choices)
    step = getattr(node, "inc", 1)
    return f"{node.min} to {node.max}" + (f" in steps of {step}" if step != 1 else "")


def _per_hz(node: Any) -> float:
    return _PER_HZ.get(str(getattr(node, "unit", "")).strip().lower(), 1.0)


def _is_integer(node: Any) -> bool:
    return type(node).__name__ == "IInteger"
