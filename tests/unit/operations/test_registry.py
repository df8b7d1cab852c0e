"""Every operation is declared once, and whoever asks for it finds all of it there."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from fluxstate_tui.cli.main import build_parser
from fluxstate_tui.operations.archives import CATALOG_CHANGES
from fluxstate_tui.operations.base import OperationKind
from fluxstate_tui.operations.registry import OPERATIONS, spec
from fluxstate_tui.tui.screens.operation.keys import ClusterActions

IMPORTED = "import sys; import fluxstate_tui.operations.registry as r; print(*sys.modules)"


def test_each_kind_is_an_operation_or_a_change_of_a_catalog() -> None:
    assert set(OperationKind) == set(OPERATIONS) | CATALOG_CHANGES
    assert not set(OPERATIONS) & CATALOG_CHANGES


def test_the_words_of_the_kinds_are_those_of_journals_and_logs_that_are_on_disks() -> None:
    assert {kind.value for kind in OPERATIONS} == {
        "save", "pause", "resume", "delete", "restore", "migrate", "disarm",
    }  # fmt: skip
    assert {kind.value for kind in CATALOG_CHANGES} == {
        "archives remove", "archives prune", "archives adopt", "archives put",
        "assets save", "assets restore",
    }  # fmt: skip


@pytest.mark.parametrize("kind", OPERATIONS)
def test_each_operation_has_a_module_that_prepares_it(kind: OperationKind) -> None:
    found = inspect.signature(spec(kind).prepare)
    assert list(found.parameters)[:3] == ["context", "ref", "choices"]
    assert inspect.iscoroutinefunction(spec(kind).prepare)
    assert spec(kind).kind is kind
    assert spec(kind).title


def test_two_operations_share_a_key_only_if_one_takes_back_the_other() -> None:
    shared = [kind for kind in OPERATIONS if list(_keys()).count(spec(kind).key) > 1]
    assert shared == [OperationKind.PAUSE, OperationKind.RESUME]


def test_each_operation_has_a_key_and_a_command() -> None:
    bound = {binding.action: binding.key for binding in ClusterActions.KEYS}
    for kind in OPERATIONS:
        assert bound[f"operate('{kind}')"] == spec(kind).key
        assert build_parser().parse_args([kind.value, "name"]).operation is kind


def test_a_word_of_a_journal_that_is_no_kind_has_none() -> None:
    assert OperationKind.of("save") is OperationKind.SAVE
    assert OperationKind.of("defragment") is None


def test_to_know_the_operations_imports_none_of_them() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True
    )
    found = {name for name in done.stdout.split() if name.startswith("fluxstate_tui.operations.")}
    assert found == {"fluxstate_tui.operations.base", "fluxstate_tui.operations.registry"}
    assert "asyncio" not in done.stdout.split()


def _keys() -> list[str]:
    return [spec(kind).key for kind in OPERATIONS]
