"""examples/rbac.yaml gives what is used, and says what that amounts to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
ROLE = ROOT / "examples" / "rbac.yaml"


def rules() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(ROLE.read_text("utf-8"))["rules"]
    return found


def test_no_rule_gives_what_no_request_asks_for() -> None:
    verbs = {verb for rule in rules() for verb in rule["verbs"]}
    code = "\n".join(
        path.read_text("utf-8")
        for folder in ("operations", "catalog", "broker", "live", "cli")
        for path in (ROOT / "fluxstate_tui" / folder).rglob("*.py")
    )
    assert not re.search(r"\.patch_(merge|json)\(", code)
    assert "patch" not in verbs
    assert verbs == {"get", "list", "watch", "create", "update", "delete"}


def test_it_is_said_what_the_right_to_create_pods_amounts_to() -> None:
    text = ROLE.read_text("utf-8")
    assert "as root on a node" in text
    assert "pods/exec" in text
