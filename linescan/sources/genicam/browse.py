"""What there is: the cameras of a producer, and the features of a camera."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linescan.sources.genicam.device import device_property, no_camera
from linescan.sources.genicam.features import KINDS, describe_range, kind_of

ACCESS = {0: "unknown", 1: "free", 2: "read only", 3: "in use", 4: "busy", 5: "open", 6: "open"}
"""GenTL's DEVICE_ACCESS_STATUS."""
MODES = {2: "write only", 3: "read only", 4: "read and write"}
"""GenApi's EAccessMode of features that are there."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature of a camera, in words."""

    name: str
    value: str
    unit: str
    kind: str
    access: str
    takes: str
    about: str


def list_devices(harvester: Any, producer: Path) -> list[tuple[str, str, str, str, str]]:
    """Vendor, model, serial number, user name and access of each camera, in the producer's order.

    Raises:
        SourceError: there is none.
    """
    names = ("vendor", "model", "serial_number", "user_defined_name")
    found = []
    for info in harvester.device_info_list:
        status = device_property(info, "access_status")
        access = ACCESS.get(int(status), status) if status.isdigit() else "unknown"
        vendor, model, serial, user = (device_property(info, name) for name in names)
        found.append((vendor, model, serial, user, access))
    if not found:
        raise no_camera(producer)
    return found


def list_features(node_map: Any, search: str | None) -> list[Feature]:
    """The features that a user may read or set, in the camera's order.

    Args:
        node_map: the camera's features.
        search: what must stand in their name or description, in any case; all where None.
    """
    wanted = (search or "").lower()
    found = []
    for node in node_map.nodes:
        if kind_of(node) not in KINDS or not _is_feature(node):
            continue
        name, about = str(node.node.name), str(node.node.tooltip or node.node.description or "")
        mode = int(node.node.get_access_mode())
        if mode in MODES and (wanted in name.lower() or wanted in about.lower()):
            found.append(_describe(node, name, about, mode))
    return found


def _describe(node: Any, name: str, about: str, mode: int) -> Feature:
    kind = kind_of(node)
    value = "(a command)" if kind == "ICommand" else _text(node)
    takes = describe_range(node) if kind in ("IInteger", "IFloat", "IEnumeration") else ""
    unit = str(getattr(node, "unit", "") or "")
    return Feature(name, value, unit, kind[1:].lower(), MODES[mode], takes, " ".join(about.split()))


def _is_feature(node: Any) -> bool:
    try:
        return bool(node.node.is_feature())
    except Exception:  # noqa: BLE001 - a node that is not implemented
        return False


def _text(node: Any) -> str:
    try:
        return str(node.value)
    except Exception:  # noqa: BLE001 - not readable now
        return "(not readable now)"
