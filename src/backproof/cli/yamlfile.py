"""Reading a backtest's YAML file: YAML 1.2's plain values, no duplicate keys, and the line of every field.

YAML 1.1, which PyYAML speaks, reads the symbol ON as true, 1e5 as a text and 2005-01-01 as a date object.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from backproof.errors import BackproofError, InvalidInput

MAX_BYTES = 1_000_000


class FileProblem(BackproofError):
    """The file cannot be read as one mapping; the message names file and line."""

    code = "bad_file"


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """config: what the file says; lines: JSON pointer -> line, for messages."""

    path: Path
    config: dict[str, object]
    lines: dict[str, int]

    def where(self, pointer: str) -> str:
        """`file.yaml:7` of the field, or of the nearest enclosing field that is there."""
        line = self._line(pointer)
        return f"{self.path}:{line}" if line is not None else str(self.path)

    def _line(self, pointer: str) -> int | None:
        while pointer and pointer not in self.lines:
            pointer = pointer.rpartition("/")[0]
        return self.lines[pointer] if pointer else None

    def problems(self, error: InvalidInput) -> list[str]:
        """One line per wrong field: `file.yaml:7: costs.commission_rate: should be less than 1`."""
        found = sorted(error.errors, key=lambda e: self._line(e.pointer) or 0)
        return [f"{self.where(e.pointer)}: {dotted(e.pointer)}{e.message}" for e in found]


def dotted(pointer: str) -> str:
    """`symbols[0]: ` from `/symbols/0`; the whole input is the empty text."""
    text = ""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        text += f"[{name}]" if name.isdigit() else f".{name}" if text else name
    return f"{text}: " if text else ""


class _Loader(yaml.SafeLoader):
    """SafeLoader with the plain values of YAML 1.2's core schema."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


def _resolve(tag: str, pattern: str, first: str) -> None:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(rf"^(?:{pattern})$"), list(first))


_resolve("bool", "true|True|TRUE|false|False|FALSE", "tTfF")
_resolve("null", "~|null|Null|NULL|", "~nN")
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^$"), [""])
_resolve("int", "[-+]?[0-9]+", "-+0123456789")
_resolve(
    "float",
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    "-+.0123456789",
)


def _text(loader: Any, node: yaml.Node) -> str:
    return str(loader.construct_scalar(node)) if isinstance(node, yaml.ScalarNode) else ""


_Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(_text(loader, node)))
_Loader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: _number(_text(loader, node)))


def _number(text: str) -> float:
    plain = text.lower().replace(".inf", "inf").replace(".nan", "nan")
    return float(plain)


def read_config(path: Path) -> ConfigFile:
    """Read the file. Raises FileProblem for what is not a YAML mapping of plain values."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileProblem(f"{path}: {(error.strerror or str(error)).lower()}") from None
    if len(data) > MAX_BYTES:
        raise FileProblem(f"{path}: {len(data)} bytes are more than a backtest's file may have ({MAX_BYTES})")
    try:
        loader = _Loader(data.decode("utf-8-sig"))
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise FileProblem(f"{path}: a backtest is written as `name: value` lines; this file holds something else")
        lines: dict[str, int] = {}
        _look_at(path, node, "", lines, 0)
        config = loader.construct_document(node)
    except UnicodeDecodeError:
        raise FileProblem(f"{path}: not a text file in UTF-8") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise FileProblem(f"{place}: {error.problem or error.context or 'not valid YAML'}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        first = str(error).strip().splitlines()
        raise FileProblem(f"{path}: {first[0] if first else 'not valid YAML'}") from None
    return ConfigFile(path, config, lines)


def _look_at(path: Path, node: yaml.Node, pointer: str, lines: dict[str, int], depth: int) -> None:
    line = node.start_mark.line + 1
    lines.setdefault(pointer, line)
    if depth > 20 or len(lines) > 20_000:
        raise FileProblem(f"{path}:{line}: nested too deep or too long for a backtest")
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise FileProblem(f"{path}:{line}: a field's name is a plain word")
            if key.value in seen:
                raise FileProblem(f"{path}:{key.start_mark.line + 1}: {key.value} is given twice")
            seen.add(key.value)
            below = f"{pointer}/{key.value.replace('~', '~0').replace('/', '~1')}"
            lines[below] = key.start_mark.line + 1
            _look_at(path, value, below, lines, depth + 1)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _look_at(path, value, f"{pointer}/{index}", lines, depth + 1)
    elif (
        isinstance(node, yaml.ScalarNode)
        and node.tag == "tag:yaml.org,2002:float"
        and not math.isfinite(_number(node.value))
    ):
        raise FileProblem(f"{path}:{line}: {dotted(pointer)}{node.value} is not a finite number")
