"""YAML that people write, read as kubectl reads it: the same text is the same value everywhere.

PyYAML's own rules are those of YAML 1.1: dates become dates, 12:30 becomes 750, 0o17 stays a text,
and of two equal keys the last one wins without a word. kubectl (sigs.k8s.io/yaml) knows neither
dates nor sexagesimal numbers, and makes JSON of it. The two were compared value by value
(kubectl 1.32). Unlike kubectl, a key that is there twice is refused.
"""

from __future__ import annotations

import base64
import json
import math
import re
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from yaml import MappingNode, Node, ScalarNode

# Aliases make a small text grow without bound.
MOST_VALUES = 500_000
MOST_DEEP = 100

_TRUE = frozenset({"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})
_FALSE = frozenset({"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_NO_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_WHOLE = re.compile(
    r"[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)",
)
_DECIMAL = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_PLAIN = "plain"
_TAG = "tag:yaml.org,2002:"
# Beyond, JSON has no whole numbers that everybody reads alike (and kubectl writes an exponent).
_EXACT = 1e21


class YamlError(ValueError):
    """A text that cannot be read. `line` counts from 1, None where it is not known."""

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(f"{problem} (line {line})" if line else problem)
        self.problem = problem
        self.line = line


def load_documents(data: bytes | str) -> list[Any]:
    """Every document as JSON data; empty ones are None. Raises YamlError."""
    return _documents(data, finite=True)


def _documents(data: bytes | str, finite: bool) -> list[Any]:
    text = _decoded(data)
    if text.lstrip().startswith("{"):
        # As kubectl does. JSON may be indented with tabs, which YAML forbids.
        try:
            return [json.loads(text, object_pairs_hook=_once, parse_constant=_refuse_constant)]
        except (ValueError, RecursionError):
            pass  # several documents, or not JSON: YAML says what is wrong, and in which line
    import yaml

    try:
        return [_Values(finite).value(node) for node in yaml.compose_all(text, _loader()) if node]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join((error.problem or error.context or "").split()) or "a mistake"
        raise YamlError(problem, mark.line + 1 if mark else None) from error
    except yaml.YAMLError as error:
        raise YamlError("it has characters that no text has") from error
    except RecursionError as error:
        raise YamlError("it is nested too deeply") from error


def load(data: bytes | str, *, finite: bool = True) -> Any:
    """The only document, None for an empty text. Raises YamlError.

    Without `finite` there may be .nan and .inf in it, which JSON has not.
    """
    found = [document for document in _documents(data, finite) if document is not None]
    if len(found) > 1:
        raise YamlError(f"it has {len(found)} documents where one is expected")
    return found[0] if found else None


def _decoded(data: bytes | str) -> str:
    if isinstance(data, str):
        return data
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise YamlError("it is not UTF-8", data.count(b"\n", 0, error.start) + 1) from error


@cache
def _loader() -> type[Any]:
    import yaml

    class Loader(yaml.SafeLoader):
        """Marks plain scalars, and leaves what they mean to us."""

        def resolve(self, kind: type, value: Any, implicit: Any) -> Any:
            if kind is yaml.ScalarNode and implicit[0]:
                return _PLAIN
            return super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]

    return Loader


class _Values:
    """Makes JSON data of one document."""

    def __init__(self, finite: bool) -> None:
        self._finite = finite
        self._made = 0
        self._inside: set[int] = set()

    def value(self, node: Node) -> Any:
        """Raises YamlError."""
        import yaml

        self._made += 1
        if self._made > MOST_VALUES:
            raise YamlError(f"it has more than {MOST_VALUES} values", _line(node))
        if isinstance(node, yaml.ScalarNode):
            if not self._finite and node.tag == _PLAIN and _NO_NUMBER.fullmatch(node.value):
                return float(node.value.replace(".", "", 1))
            return _scalar(node)
        if id(node) in self._inside:
            raise YamlError("an anchor contains itself", _line(node))
        if len(self._inside) >= MOST_DEEP:
            raise YamlError("it is nested too deeply", _line(node))
        self._inside.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                _require_tag(node, "seq")
                return [self.value(item) for item in node.value]
            assert isinstance(node, yaml.MappingNode)
            _require_tag(node, "map")
            return self._mapping(node)
        finally:
            self._inside.discard(id(node))

    def _mapping(self, node: MappingNode) -> dict[str, Any]:
        own: dict[str, Any] = {}
        lines: dict[str, int] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _PLAIN and key_node.value == "<<":
                for key, value in self._merge(value_node).items():
                    merged.setdefault(key, value)
                continue
            key = _key(key_node)
            if key in own:
                raise YamlError(
                    f"the key '{key}' is there twice, first in line {lines[key]}", _line(key_node)
                )
            own[key] = self.value(value_node)
            lines[key] = _line(key_node)
        return {**merged, **own}

    def _merge(self, node: Node) -> dict[str, Any]:
        found = self.value(node)
        merged: dict[str, Any] = {}
        for part in found if isinstance(found, list) else [found]:
            if not isinstance(part, dict):
                raise YamlError("'<<' merges something that is no map", _line(node))
            for key, value in part.items():
                merged.setdefault(key, value)
        return merged


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _require_tag(node: Node, kind: str) -> None:
    if node.tag != _TAG + kind:
        raise YamlError(f"the tag {_short(node.tag)} is not known", _line(node))


def _short(tag: str) -> str:
    return "!!" + tag.removeprefix(_TAG) if tag.startswith(_TAG) else tag


def _key(node: Node) -> str:
    """A key of JSON is a text: numbers and truth values are written out, as kubectl does."""
    import yaml

    value = _scalar(node) if isinstance(node, yaml.ScalarNode) else None
    if value is None:
        raise YamlError("a key is neither a text nor a number", _line(node))
    return value if isinstance(value, str) else json.dumps(value)


def _scalar(node: ScalarNode) -> Any:
    text = str(node.value)
    if node.tag == _PLAIN:
        return _plain(text, node)
    kind = str(node.tag).removeprefix(_TAG)
    if kind in ("str", "timestamp"):
        return text
    if kind == "binary":
        try:
            return base64.b64decode("".join(text.split()), validate=True).decode()
        except ValueError as error:
            raise YamlError("!!binary is no base64 of a text", _line(node)) from error
    value = _plain(text, node)
    types: dict[str, tuple[type, ...]] = {
        "int": (int,),
        "float": (int, float),
        "bool": (bool,),
        "null": (type(None),),
    }
    wanted = types.get(kind)
    if wanted is None:
        raise YamlError(f"the tag {_short(node.tag)} is not known", _line(node))
    if not isinstance(value, wanted) or isinstance(value, bool) is not (kind == "bool"):
        raise YamlError(f"'{text}' is no {_short(node.tag)}", _line(node))
    return value


def _plain(text: str, node: Node) -> Any:
    """What a text without quotes means to kubectl."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _NO_NUMBER.fullmatch(text):
        raise YamlError(f"{text} is no number that JSON has", _line(node))
    if text[0] not in "+-.0123456789":
        return text
    digits = text.replace("_", "")
    if _WHOLE.fullmatch(digits):
        whole = _whole(digits)
        if -(2**63) <= whole < 2**64:
            return whole
    if not _DECIMAL.fullmatch(digits):
        return text
    number = float(digits)
    if math.isinf(number):
        return text
    return int(number) if number.is_integer() and abs(number) < _EXACT else number


def _whole(digits: str) -> int:
    sign, bare = (-1, digits[1:]) if digits[0] == "-" else (1, digits.lstrip("+"))
    if re.fullmatch(r"0[0-7]+", bare):
        return sign * int(bare, 8)
    return sign * int(bare, 0)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise YamlError(f"the key '{twice}' is there twice")
    return found


def _refuse_constant(text: str) -> float:
    raise YamlError(f"{text} is no number that JSON has")
