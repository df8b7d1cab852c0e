"""The audit log's commands as a script that is short enough to be read, and still runs.

The log has one complete line per command, some 500 characters each. Here what repeats (the way
into a container, and to Flux in it) becomes a shell function, and objects are written out.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field

from fluxstate_tui.broker.locate import SUDO_SCRIPT, VIEW_SCRIPT
from fluxstate_tui.broker.shell_commands import one_line

_SHELL = ["/bin/bash", "-c"]
_COMMENT = "  # "
_LEGIBLE = {one_line(script): script for script in (VIEW_SCRIPT, SUDO_SCRIPT)}


def short_script(commands: Iterable[str]) -> list[str]:
    """Lines for bash that do what the commands do, in their order; functions come first."""
    functions, lines = _Functions(), []
    for command in commands:
        line, said = _without_comment(command)
        lines += _written(line, functions)
        lines += [_COMMENT + said] if said else []
    return [*functions.lines, *lines]


@dataclass(slots=True)
class _Functions:
    lines: list[str] = field(default_factory=list)
    _names: dict[tuple[str, ...], str] = field(default_factory=dict)

    def calls(self, way: list[str], argv: list[str]) -> str:
        """`argv` in the container that the words of `way` lead to."""
        inside = self._name("in", way, shlex.join(way))
        if argv[:2] != _SHELL or argv[3:4] != ["flux"] or len(argv) < 5:
            return f"{inside} {shlex.join(argv)}"
        script, place = argv[2], argv[4]
        text = shlex.quote(_LEGIBLE.get(script, script))
        body = f"{inside} /bin/bash -c {text} flux {shlex.quote(place)}"
        return f"{self._name('flux', [*way, script, place], body)} {shlex.join(argv[5:])}"

    def _name(self, kind: str, key: list[str], body: str) -> str:
        known = self._names.get((kind, *key))
        if known is not None:
            return known
        where = key[key.index("-c") + 1] if "-c" in key else key[-2]
        name = first = re.sub(r"\W", "_", f"{kind}_{where}", flags=re.ASCII)
        number = 1
        while name in self._names.values():
            number += 1
            name = f"{first}_{number}"
        self._names[kind, *key] = name
        self.lines += f'{name}() {{\n  {body} "$@"\n}}'.split("\n")
        return name


def _without_comment(command: str) -> tuple[str, str]:
    """The command, and what was read back of it."""
    words = shlex.split(command, comments=True)
    for found in re.finditer(re.escape(_COMMENT), command):
        line = command[: found.start()]
        try:
            if shlex.split(line) == words:
                return line, command[found.end() :]
        except ValueError:  # in the middle of a quoted word
            continue
    return command, ""


def _written(line: str, functions: _Functions) -> list[str]:
    words = shlex.split(line)
    if shlex.join(words) == line:  # one command, no pipe and no redirection
        if words[:1] == ["kubectl"] and "exec" in words and "--" in words:
            end = words.index("--") + 1
            return [functions.calls(words[:end], words[end:])]
        return [line]
    if words[0] == "echo" and words[2:3] == ["|"]:
        fed = shlex.join(words[3:])
        if f"echo {shlex.quote(words[1])} | {fed}" == line:
            return [f"{fed} <<'END'", *_legible(words[1]), "END"]
    return [line]


def _legible(text: str) -> list[str]:
    try:
        return json.dumps(json.loads(text), indent=2).splitlines()
    except ValueError:
        return text.splitlines()
