"""The lines for a shell that do with kubectl what a step did: complete, to be copied as they are.

Each is one line, whatever it carries: logs and clipboards keep it whole.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fluxstate_tui.broker.context import OperationContext
    from fluxstate_tui.broker.locate import Endpoint


_SHELL = ["/bin/bash", "-c"]


@dataclass(frozen=True, slots=True)
class ShellCommands:
    """Makes such lines for one context of the kubeconfig ('' = the current one)."""

    context: str = ""

    @classmethod
    def of(cls, context: OperationContext) -> ShellCommands:
        """For the cluster of an operation."""
        return cls(context.cluster.context)

    def kubectl(self, *words: str) -> str:
        """`kubectl WORDS`."""
        chosen = option("--context", self.context)
        return shlex.join(["kubectl", *chosen, *words])

    def flux(self, endpoint: Endpoint, *words: str) -> str:
        """`flux WORDS` in the lead's container."""
        place = (endpoint.namespace, endpoint.pod, endpoint.container)
        return self.inside(place, *_one_line(endpoint.flux_argv(words)))

    def inside(self, place: tuple[str, str, str], *argv: str) -> str:
        """Run something in a container: namespace, pod, container."""
        namespace, pod, container = place
        return self.kubectl("exec", "-n", namespace, pod, "-c", container, "--", *argv)

    def create(self, body: dict[str, Any], *, dry_run: bool = False) -> str:
        """Create an object."""
        options = ["--dry-run=server"] if dry_run else []
        text = shlex.quote(json.dumps(body, sort_keys=True))
        return f"echo {text} | {self.kubectl('create', *options, '-f', '-')}"

    def delete(self, kind: str, namespace: str, name: str) -> str:
        """Delete an object and wait until it is gone."""
        return self.kubectl("delete", kind, "-n", namespace, name)


def option(name: str, value: str) -> list[str]:
    """An option with a value that somebody named, whatever it begins with; none for ''."""
    if value.startswith("-"):
        return [f"{name}={value}"]
    return [name, value] if value else []


def own_line(*words: str, names: Sequence[str] = ()) -> str:
    """A line of this program. What somebody named is no option, whatever it begins with."""
    return shlex.join(["fluxstate-tui", *words, *(["--", *names] if names else [])])


def one_line(script: str) -> str:
    """A shell script on one line, which does the same."""
    text = ""
    for line in script.replace("\\\n", "").splitlines():
        between = " " if text.endswith("then") else "; " if text else ""
        text += between + line.strip()
    return text


def _one_line(argv: Sequence[str]) -> list[str]:
    """The same command with its script on one line."""
    if list(argv[:2]) != _SHELL:
        return list(argv)
    return [*_SHELL, one_line(argv[2]), *argv[3:]]
