"""What a command line costs before it does anything: no screen and no client is imported."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SHOW_MODULES = """
import json, sys
from fluxstate_tui.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
HEAVY = {"textual", "rich", "kubernetes", "aiohttp", "yaml", "asyncio"}


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_and_version_import_no_screen_and_no_client(flag: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SHOW_MODULES, flag], capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(json.loads(done.stdout.splitlines()[-1]))


def test_the_package_imports_its_api_only_when_it_is_used() -> None:
    script = "import fluxstate_tui, sys; print(sorted(sys.modules)); fluxstate_tui.connect"
    script += "; print(sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    before, after = done.stdout.splitlines()
    assert "fluxstate_tui.api" not in before
    assert "fluxstate_tui.api" in after
    assert "textual" not in after


def test_without_a_terminal_the_dashboard_says_what_to_use_instead() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fluxstate_tui"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "get miniclusters" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("kubeconfig", "says"),
    [(None, "There is no kubeconfig"), ("{{{", "not"), ("[]\n", "kubeconfig")],
    ids=["missing", "broken YAML", "no mapping"],
)
def test_a_kubeconfig_that_is_none_gets_one_clear_message(
    tmp_path_factory: pytest.TempPathFactory, kubeconfig: str | None, says: str
) -> None:
    path = tmp_path_factory.mktemp("home") / "kubeconfig"
    if kubeconfig is not None:
        path.write_text(kubeconfig)
    done = subprocess.run(
        [sys.executable, "-m", "fluxstate_tui", "get", "miniclusters", "--kubeconfig", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr.startswith("error: ")
    assert says in done.stderr
    assert "Traceback" not in done.stderr
