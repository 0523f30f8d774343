"""YAML text as nodes, which know their lines, and as data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

from linescan.errors import ConfigError

MERGE = "tag:yaml.org,2002:merge"
TEXT = "tag:yaml.org,2002:str"


def read(text: str, name: str, place: Callable[[int], str]) -> tuple[yaml.Node | None, Any]:
    """Read one YAML document; keys are text as written, so that ``on`` is no boolean.

    Args:
        text: the YAML.
        name: of the text, in errors.
        place: what an error calls a line of the text, from 1.

    Returns:
        The nodes (None for an empty text), and the data.

    Raises:
        ConfigError: the text is no YAML, or holds a key twice.
    """
    try:
        loader = yaml.SafeLoader(text)
        tree = loader.get_single_node()
        _check_keys(tree, (), place, set())
        return tree, None if tree is None else loader.construct_document(tree)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # A ValueError comes from a value such as the date 2024-13-45.
        said = " ".join(str(error).replace('in "<unicode string>", line', "in line").split())
        raise ConfigError(f"{name}: not valid YAML: {said}") from error


def _check_keys(
    node: yaml.Node | None, above: tuple[str, ...], place: Callable[[int], str], seen: set[int]
) -> None:
    if node is None or id(node) in seen:  # An alias may lead back to what it stands in.
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check_keys(item, above, place, seen)
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[str, int] = {}
    for key, value in node.value:
        keys = above
        if isinstance(key, yaml.ScalarNode) and key.tag != MERGE:
            key.tag = TEXT
            keys = (*above, key.value)
            line = key.start_mark.line + 1
            if key.value in lines:
                raise ConfigError(
                    f"{place(line)}: '{'.'.join(keys)}' is given twice, first in line"
                    f" {lines[key.value]}; keep one of them"
                )
            lines[key.value] = line
        _check_keys(value, keys, place, seen)
