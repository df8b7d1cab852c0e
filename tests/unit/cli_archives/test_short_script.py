"""`log --commands` is short enough to be read, and does the same as the log's long lines."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from fluxstate_tui.broker.locate import Endpoint
from fluxstate_tui.broker.shell_commands import ShellCommands
from fluxstate_tui.cli.short_script import short_script

# A kubectl that writes down what it was given.
KUBECTL = r"""#!/bin/bash
printf '%s\0' "$@" >> "$0.args"
if [ "${@: -1}" = - ]; then cat >> "$0.stdin"; fi
"""
HAND = ShellCommands("a context")
LEAD = Endpoint("default", "flux-sample-0-abc", "uid", "flux-sample")
OLD = Endpoint("default", "flux-sample-0-xyz", "uid", "flux-sample", "v1alpha1", "flux")
OBJECT = {"kind": "Pod", "metadata": {"name": "it's", "note": "\u001b[2J é | # END"}}
COMMANDS = (
    HAND.flux(LEAD, "queue", "stop", "-m", "it's  # ours; $HOME", "--all") + "  # is 'stopped'",
    HAND.flux(LEAD, "queue", "idle"),
    HAND.inside((LEAD.namespace, LEAD.pod, LEAD.container), "ln", "/a b", "/c") + "  # 12 bytes",
    HAND.flux(OLD, "jobs", "-a"),
    HAND.create(OBJECT) + "  # it's there",
    HAND.delete("pod", "default", "x"),
)


def run(folder: Path, script: str) -> tuple[list[str], str]:
    """Everything that kubectl was given: its words, and its standard input."""
    folder.mkdir()
    kubectl = folder / "kubectl"
    kubectl.write_text(KUBECTL)
    kubectl.chmod(0o755)
    for end in ("args", "stdin"):
        (folder / f"kubectl.{end}").write_text("")
    path = {"PATH": f"{folder}:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    subprocess.run(["/bin/bash", "-eu", "-c", script], check=True, env=path)
    words = (folder / "kubectl.args").read_text().split("\0")
    return words, (folder / "kubectl.stdin").read_text()


def test_it_gives_kubectl_the_same_words_and_the_same_object(tmp_path: Path) -> None:
    long, told = run(tmp_path / "long", "\n".join(COMMANDS))
    short, told_too = run(tmp_path / "short", "\n".join(short_script(COMMANDS)))
    assert [" ".join(one.split()).replace("; ", " ") for one in short] == [
        " ".join(one.split()).replace("; ", " ") for one in long
    ]
    assert json.loads(told_too) == json.loads(told) == OBJECT


def test_each_command_is_a_line_that_can_be_read() -> None:
    lines = short_script(COMMANDS)
    assert "flux_flux_sample queue idle" in lines
    assert "in_flux_sample ln '/a b' /c" in lines
    assert "  # 12 bytes" in lines
    assert "flux_flux_sample_2 jobs -a" in lines
    first = lines.index("flux_flux_sample queue idle") - 2  # the functions stand before
    assert max(map(len, lines[first:])) < 80
    assert len([line for line in lines if "flux-sample-0-abc" in line]) == 1


@pytest.mark.parametrize(
    "line", ["kubectl get pods | sort  # few", "fluxstate-tui archives adopt x", "true > /dev/null"]
)
def test_what_is_not_known_stays_as_it_is(line: str) -> None:
    assert "".join(short_script([line])) == line
