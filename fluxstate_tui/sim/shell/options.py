"""Options of programs, in getopt's way: `-abc`, `-n5`, `--name=value`, `--`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fluxstate_tui.sim.shell.process import UsageError


@dataclass(slots=True)
class Options:
    """Parsed options by their long (or only) name, and the operands."""

    values: dict[str, list[str]] = field(default_factory=dict)
    operands: list[str] = field(default_factory=list)

    def has(self, name: str) -> bool:
        """Whether the option was given."""
        return name in self.values

    def get(self, name: str, default: str = "") -> str:
        """Its last value."""
        return self.values[name][-1] if name in self.values else default

    def all(self, name: str) -> list[str]:
        """All its values."""
        return self.values.get(name, [])


def parse_options(
    args: Sequence[str],
    spec: str,
    *,
    mixed: bool = True,
    usage: str = "",
) -> Options:
    """`spec`: names separated by blanks; `n,lines=` has a value, `t,timeout=?` an optional one.

    Every name of a group leads to its last one. With mixed=False the first operand ends the
    options, as for programs that run other programs. UsageError (code 1) for unknown ones.
    """
    names = _names(spec)
    found = Options()
    rest = list(args)
    while rest:
        argument = rest.pop(0)
        if argument == "--":
            found.operands += rest
            break
        if argument == "-" or not argument.startswith("-"):
            found.operands.append(argument)
            if not mixed:
                found.operands += rest
                break
        elif argument.startswith("--"):
            _long(argument, rest, names, found, usage)
        else:
            _short(argument, rest, names, found, usage)
    return found


def _names(spec: str) -> dict[str, tuple[str, str]]:
    """Every spelling with its canonical name and '' (flag), '=' (value) or '=?' (optional)."""
    names = {}
    for group in spec.split():
        kind = "=?" if group.endswith("=?") else "=" if group.endswith("=") else ""
        spellings = group.rstrip("=?").split(",")
        for spelling in spellings:
            names[spelling] = (spellings[-1], kind)
    return names


def _unknown(text: str, usage: str) -> UsageError:
    return UsageError(text + (f"\n{usage}" if usage else ""))


def _long(
    argument: str, rest: list[str], names: dict[str, tuple[str, str]], found: Options, usage: str
) -> None:
    name, equals, value = argument[2:].partition("=")
    if name not in names:
        raise _unknown(f"unrecognized option '{argument}'", usage)
    canonical, kind = names[name]
    if kind == "=" and not equals:
        if not rest:
            raise _unknown(f"option '--{name}' requires an argument", usage)
        value = rest.pop(0)
    found.values.setdefault(canonical, []).append(value)


def _short(
    argument: str, rest: list[str], names: dict[str, tuple[str, str]], found: Options, usage: str
) -> None:
    letters = argument[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        if letter not in names:
            raise _unknown(f"invalid option -- '{letter}'", usage)
        canonical, kind = names[letter]
        value = ""
        if kind:
            value, letters = letters, ""
            if kind == "=" and not value:
                if not rest:
                    raise _unknown(f"option requires an argument -- '{letter}'", usage)
                value = rest.pop(0)
        found.values.setdefault(canonical, []).append(value)
