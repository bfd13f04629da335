"""Change single values of a YAML text and leave all else as it stands: order, comments, quotes, blank lines."""

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

Path = tuple[str, ...]


def set_values(text: str, values: Mapping[Path, Any]) -> str:
    """Set plain values in a YAML text whose top is a mapping.

    Args:
        text: one document.
        values: path of keys -> number, text, truth or None; mappings that are missing on the way are made.

    Raises:
        ValueError: a path leads through something that is not a mapping.
    """
    for path, value in values.items():
        text = _set(text, path, value)
    return text


def _set(text: str, path: Path, value: Any) -> str:
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(node, yaml.MappingNode):
        raise ValueError("the text holds no fields")
    for depth, key in enumerate(path):
        if _is_empty(node):
            return _replaced(text, node, " " + _flow(path[depth:], value, braces=True))
        if not isinstance(node, yaml.MappingNode):
            raise ValueError(f"{'.'.join(path[:depth])} is not a mapping")
        found = next((below for name, below in node.value if name.value == key), None)
        if found is None:
            return _inserted(text, node, _flow(path[depth:], value, braces=False), at_end=depth == 0)
        node = found
    return _replaced(text, node, ("" if node.start_mark.index < node.end_mark.index else " ") + _word(value))


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null")


def _replaced(text: str, node: yaml.Node, new: str) -> str:
    start = node.start_mark.index
    end = max(start, len(text[: _last(node).end_mark.index].rstrip()))
    return text[:start] + new + text[end:]


def _last(node: yaml.Node) -> yaml.Node:
    """Return what ends where a node ends: a block itself ends, for the parser, where the next field begins."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(node, yaml.MappingNode) else last
    return node


def _inserted(text: str, node: yaml.MappingNode, new: str, at_end: bool) -> str:
    if node.flow_style:
        end = node.end_mark.index - 1
        before = text[:end].rstrip()
        return before + ("" if before.endswith(("{", ",")) else ",") + (" " * (before[-1] != "{")) + new + text[end:]
    if at_end:
        return text.rstrip("\n") + f"\n{new}\n"
    first = node.value[0][0].start_mark
    return text[: first.index] + new + "\n" + " " * first.column + text[first.index :]


def _flow(path: Path, value: Any, braces: bool) -> str:
    words = _word(value)
    for number, key in enumerate(reversed(path)):
        words = f"{key}: {words}"
        if braces or number < len(path) - 1:
            words = "{" + words + "}"
    return words


def _word(value: Any) -> str:
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z][\w.]*", value) and yaml.safe_load(value) == value:
        return value
    return json.dumps(value)
