"""YAML with the position of everything in the file, its plain values read as editors read them (YAML 1.2)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import yaml

from mlops_assets.errors import UsageError

Path = tuple[str, ...]


MOST_VALUES, DEEPEST = 10_000, 40
"""A text with more values, its aliases (*) followed, or with deeper ones, is refused: nine short lines can hold
billions."""
_TOO_MANY = f"more than {MOST_VALUES:,} values, aliases (*) followed"
_TOO_DEEP = f"nested deeper than {DEEPEST} levels"


class YamlTextError(UsageError):
    """The text is not YAML; the message says where, and quotes nothing of it, for it may hold a password."""


class Position(NamedTuple):
    """Where something stands, and how.

    Attributes:
        line: its line, from 1.
        text: a single value as it is written in the file, text in quotes; None for lists and mappings.
    """

    line: int
    text: str | None


@dataclass(frozen=True)
class Document:
    """What a YAML text holds.

    Attributes:
        values: plain Python values.
        positions: path from the top (keys, and numbers in lists, as text) -> position of the value; in a mapping
            the line is the key's.
        repeated: keys that stand twice in one mapping: path, line of the second.
    """

    values: Any
    positions: dict[Path, Position]
    repeated: list[tuple[Path, int]]

    def below(self, key: str) -> "Document":
        """Return what a key of a mapping holds, with the paths from there."""
        return Document(
            self.values.get(key),
            {path[1:]: position for path, position in self.positions.items() if path[0] == key and len(path) > 1},
            [(path[1:], line) for path, line in self.repeated if path[0] == key and len(path) > 1],
        )


class _Loader(yaml.SafeLoader):
    """PyYAML speaks YAML 1.1, in which no, on, 2013-01-01 and 6:30 are not text: Norway would be false."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (PyYAML's own way)

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._values = self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> yaml.Node | None:
        """Give up as soon as a text is too large or too deep."""
        self._values += 1
        self._depth += 1
        if self._values > MOST_VALUES:
            raise YamlTextError(_TOO_MANY)
        if self._depth > DEEPEST:
            raise YamlTextError(_TOO_DEEP)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def compose_scalar_node(self, anchor: Any) -> yaml.ScalarNode:
        """Join the halves that JSON writes a character outside the basic plane in."""
        node = super().compose_scalar_node(anchor)
        try:
            node.value = node.value.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError:
            raise yaml.MarkedYAMLError(problem="half of a character", problem_mark=node.start_mark) from None
        return node


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _first)


def read_yaml(text: str) -> Document:
    """Read a YAML text of one document; an empty one holds None.

    Raises:
        YamlTextError: it is not YAML, an anchor holds itself, or it holds more than `MOST_VALUES`.
    """
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            return Document(None, {}, [])
        positions: dict[Path, Position] = {}
        repeated: list[tuple[Path, int]] = []
        for path, position, is_new in _walk(root):
            if not is_new:
                repeated.append((path, position.line))
            positions[path] = position
            if len(positions) > MOST_VALUES:
                raise YamlTextError(_TOO_MANY)
        return Document(loader.construct_document(root), positions, repeated)
    except YamlTextError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise YamlTextError(f"{where}{', '.join(filter(None, (error.context, error.problem)))}") from None
    except yaml.YAMLError as error:
        raise YamlTextError(str(error).splitlines()[0]) from None
    except RecursionError:
        raise YamlTextError(_TOO_DEEP) from None
    except ValueError as error:  # of int(), which takes no more than thousands of digits
        raise YamlTextError(f"a number cannot be read: {str(error).partition(':')[0]}") from None


def _walk(node: yaml.Node, path: Path = (), above: tuple[yaml.Node, ...] = ()) -> Iterator[tuple[Path, Position, bool]]:
    """Yield every value with its path and position, and whether its key is new in its mapping.

    Raises:
        YamlTextError: a value holds itself, or lies too deep.
    """
    if any(node is one for one in above):
        raise YamlTextError("an anchor (&) holds itself")
    if len(above) > DEEPEST:
        raise YamlTextError(_TOO_DEEP)
    above = (*above, node)
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            below = (*path, str(key.value))
            yield below, Position(key.start_mark.line + 1, _text(value)), below not in seen
            seen.add(below)
            yield from _walk(value, below, above)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            below = (*path, str(index))
            yield below, Position(value.start_mark.line + 1, _text(value)), True
            yield from _walk(value, below, above)


def _text(node: yaml.Node) -> str | None:
    if not isinstance(node, yaml.ScalarNode):
        return None
    if node.tag.endswith(":null"):
        return "nothing"
    return repr(node.value) if node.tag.endswith(":str") else node.value
