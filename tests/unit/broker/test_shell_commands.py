"""Lines for a shell: what somebody named is no option of the program that runs them."""

from __future__ import annotations

import argparse
import shlex

import pytest

from fluxstate_tui.broker.shell_commands import ShellCommands, option, own_line


@pytest.mark.parametrize("name", ["x", "-rf", "--folder=x", "a b", "'; rm x"])
def test_a_name_stays_a_name(name: str) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder")
    parser.add_argument("--context")
    parser.add_argument("words", nargs="*")
    line = own_line("archives", *option("--context", name), names=["sample", name])
    found = parser.parse_args(shlex.split(line)[2:])
    assert (found.folder, found.context) == (None, name)
    assert found.words == ["sample", name]


def test_a_context_that_looks_like_an_option_is_one_word() -> None:
    assert ShellCommands("-x").kubectl("get", "pods") == "kubectl --context=-x get pods"
    assert ShellCommands("x").kubectl("get", "pods") == "kubectl --context x get pods"
    assert ShellCommands().kubectl("get", "pods") == "kubectl get pods"
