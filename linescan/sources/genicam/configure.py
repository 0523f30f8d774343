"""A camera's set-up: pushed from the configuration, read back, and compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from linescan.config import GenicamSource
from linescan.errors import SourceError
from linescan.sources.genicam import aliases as known
from linescan.sources.genicam.aliases import Alias
from linescan.sources.genicam.chunks import ENCODER, enable_chunks
from linescan.sources.genicam.features import find, get, name_of, put
from linescan.sources.genicam.messages import Opened
from linescan.sources.genicam.payload import layout_of

FEATURES = "source.features."
TOLERANCE = 1e-3
"""A value that was rounded by less is as asked."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One feature and the value that it shall have; ``where`` is its key in the configuration."""

    alias: Alias
    value: object
    where: str


def configure(node_map: Any, section: GenicamSource, name: str) -> Opened:
    """Set the camera up, unless it is its own master, and say what it is then.

    Raises:
        SourceError: the camera does not take a setting, or gives no gray lines.
    """
    notes: list[str] = []
    settings = list(settings_of(node_map, section))
    write = not section.camera_is_master
    if write:
        notes += _gray(node_map, section, name)
        _apply(node_map, settings)
        notes += enable_chunks(node_map, section)
    notes += [f"{name}: {note}" for note in differences(node_map, settings, select=write)]
    layout = layout_of(str(node_map.PixelFormat.value))
    height = int(get(node_map, known.HEIGHT) or 0)
    if height < 1:
        raise SourceError(f"{name}: the camera's Height is {height}; set 'source.block_lines'")
    rate = get(node_map, known.LINE_RATE)
    return Opened(
        name=name,
        width=int(node_map.Width.value),
        height=height,
        dtype=layout.dtype,
        bits=layout.bits,
        pixel_format=layout.name,
        line_rate_hz=float(rate) if rate else None,
        triggered=is_triggered(node_map),
        encoder=find(node_map, ENCODER) is not None,
        notes=tuple(notes),
    )


def settings_of(node_map: Any, section: GenicamSource) -> Iterator[Setting]:
    """All that the configuration asks for, in the order in which it is set."""
    encoder = section.encoder
    pairs: list[tuple[Alias, object, str]] = [
        (known.PIXEL_FORMAT, section.pixel_format, "pixel_format"),
        (known.WIDTH, section.width, "width"),
        (known.HEIGHT, section.block_lines, "block_lines"),
        (known.EXPOSURE, section.exposure_us, "exposure_us"),
        (known.GAIN, section.gain, "gain"),
        (known.ENCODER_A, encoder.source_a, "encoder.source_a"),
        (known.ENCODER_B, encoder.source_b, "encoder.source_b"),
        (known.ENCODER_MODE, encoder.mode, "encoder.mode"),
        (known.ENCODER_DIVIDER, encoder.divider, "encoder.divider"),
        (known.ENCODER_OUTPUT, encoder.output, "encoder.output"),
        (known.ENCODER_RESOLUTION, encoder.resolution_um, "encoder.resolution_um"),
    ]
    if section.line_rate_hz is not None:
        if find(node_map, known.LINE_RATE_ENABLE.names) is not None:
            pairs.append((known.LINE_RATE_ENABLE, True, "line_rate_hz"))
        pairs.append((known.LINE_RATE, section.line_rate_hz, "line_rate_hz"))
    if section.partial_timeout_ms is not None:
        if find(node_map, known.PARTIAL_TIMEOUT_ENABLE.names) is not None:
            pairs.append((known.PARTIAL_TIMEOUT_ENABLE, True, "partial_timeout_ms"))
        wanted = section.partial_timeout_ms * 1000
        pairs.append((known.PARTIAL_TIMEOUT, wanted, "partial_timeout_ms"))
    pairs += _trigger(node_map, section)
    pairs += [
        (Alias((name,)), value, f"features.{name}") for name, value in section.features.items()
    ]
    for alias, value, where in pairs:
        if value is not None:
            yield Setting(alias, value, f"source.{where}")


def differences(node_map: Any, settings: list[Setting], *, select: bool = True) -> Iterator[str]:
    """What the camera says otherwise than it was asked; what is set twice counts as last set.

    Args:
        node_map: the camera's features.
        settings: what was asked.
        select: set selectors again, so that what stands behind them can be read.
    """
    last: dict[tuple[object, ...], Setting] = {}
    selected: dict[str, object] = {}
    for setting in settings:
        if setting.alias.names[0].endswith("Selector"):
            selected[setting.alias.names[0]] = setting.value
        last[setting.alias.names, *selected.items()] = setting
    for setting in last.values():
        alias, selector = setting.alias, setting.alias.names[0].endswith("Selector")
        if selector and select:
            put(node_map, alias, setting.value)
        node = find(node_map, alias.names)
        got = None if node is None or selector else get(node_map, alias)
        if node is not None and got is not None and not _same(setting.value, got):
            unit = f" {alias.unit}" if alias.unit else ""
            yield (
                f"'{setting.where}' asks for {setting.value}{unit}, the camera's "
                f"{name_of(node, alias.names[0])} is {got}{unit}"
            )


def is_triggered(node_map: Any) -> bool | None:
    """Whether lines wait for a trigger; None where the camera does not tell."""
    mode, selector = find(node_map, ("TriggerMode",)), find(node_map, ("TriggerSelector",))
    if mode is None:
        return None
    try:
        if selector is None:
            return bool(mode.value == "On")
        before, line = selector.value, _first(known.LINE_START, selector.symbolics)
        if line is None:
            return None
        selector.value = line
        on = bool(mode.value == "On")
        selector.value = before
    except Exception:  # noqa: BLE001 - not to be read now
        return None
    return on


def _gray(node_map: Any, section: GenicamSource, name: str) -> list[str]:
    now = str(node_map.PixelFormat.value)
    if section.pixel_format is not None or now.startswith("Mono"):
        return []
    put(node_map, known.PIXEL_FORMAT, "Mono8")
    return [f"{name}: pixel format {now} becomes Mono8"]


def _apply(node_map: Any, settings: list[Setting]) -> None:
    """Set one after the other; those that others stood in the way of are tried a second time.

    The free features come last, once, and in order: what one means may depend on a selector.

    Raises:
        SourceError: the camera does not take one.
    """
    free = [s for s in settings if s.where.startswith(FEATURES)]
    ours = [s for s in settings if not s.where.startswith(FEATURES)]
    for setting in [*[s for s in ours if not _taken(node_map, s)], *free]:
        try:
            put(node_map, setting.alias, setting.value)
        except SourceError as error:
            raise SourceError(f"'{setting.where}': {error}") from error


def _taken(node_map: Any, setting: Setting) -> bool:
    try:
        put(node_map, setting.alias, setting.value)
    except SourceError:
        return False
    return True


def _trigger(node_map: Any, section: GenicamSource) -> list[tuple[Alias, object, str]]:
    """Settings of the line trigger; a camera without one can only run free."""
    trigger = section.trigger
    if trigger is None:
        return []
    selector = find(node_map, known.TRIGGER_SELECTOR.names)
    if find(node_map, known.TRIGGER_MODE.names) is None and trigger.mode == "free_run":
        return []
    pairs: list[tuple[Alias, object, str]] = []
    if selector is not None:
        line = _first(known.LINE_START, selector.symbolics)
        pairs.append((known.TRIGGER_SELECTOR, line, "trigger"))
    on = trigger.mode != "free_run"
    if on:
        sources = known.ENCODER_SOURCES if trigger.mode == "encoder" else known.LINE_SOURCES
        node = find(node_map, known.TRIGGER_SOURCE.names)
        if node is None:
            raise SourceError(
                "'source.trigger': the camera has no feature TriggerSource; leave it out, and set "
                "its trigger by its own names with 'source.features'"
            )
        source = trigger.source or _first(sources, node.symbolics)
        if source is None:
            raise SourceError(
                f"'source.trigger.source' is missing: the camera's TriggerSource takes "
                f"{', '.join(node.symbolics)}"
            )
        pairs.append((known.TRIGGER_SOURCE, source, "trigger.source"))
        pairs.append((known.TRIGGER_ACTIVATION, trigger.activation, "trigger.activation"))
    return [*pairs, (known.TRIGGER_MODE, "On" if on else "Off", "trigger.mode")]


def _first(wanted: tuple[str, ...], there: Any) -> str | None:
    return next((name for name in wanted if name in tuple(there)), None)


def _same(asked: object, got: object) -> bool:
    if isinstance(asked, bool) or isinstance(got, bool):
        return asked == got or (asked is True and got == "On") or (asked is False and got == "Off")
    if isinstance(asked, (int, float)) and isinstance(got, (int, float)):
        return abs(asked - got) <= TOLERANCE * max(abs(asked), abs(got))
    return str(asked) == str(got)
