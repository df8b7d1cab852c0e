"""The configuration never stops a start, and a mistake in it never takes a protection away."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxstate_tui.cli.main import build_parser
from fluxstate_tui.cli.options import configuration, kube_options
from fluxstate_tui.config import Config, GuardSettings, RetentionSettings, load_config, span
from fluxstate_tui.kube.kubeconfig import KubeOptions, current_context

KUBECONFIG = "apiVersion: v1\nkind: Config\ncurrent-context: prod-1\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLUXSTATE_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    configuration.cache_clear()
    return tmp_path


def written(folder: Path, text: str) -> Config:
    path = folder / "config.yaml"
    path.write_text(text)
    return load_config(path)


def options(*words: str) -> KubeOptions:
    return kube_options(build_parser().parse_args(["get", "miniclusters", *words]))


def test_without_a_file_everything_has_its_default(tmp_path: Path) -> None:
    assert load_config(tmp_path / "config.yaml") == Config()
    assert written(tmp_path, "") == Config()
    assert Config().guard == GuardSettings(checkpoint=60.0, save=None)


def test_everything_that_can_be_set(tmp_path: Path) -> None:
    config = written(
        tmp_path,
        "theme: flux-light\n"
        "protected: [prod-*, shared]\n"
        "guard: {checkpoint: 30s, save: 2h}\n"
        "retention: {keep-last: 5, keep-within: 14d}\n"
        "copies: 500MiB\n"
        "silence: [FS321, broker-drained]\n",
    )
    assert config == Config(
        theme="flux-light",
        protected=("prod-*", "shared"),
        guard=GuardSettings(30.0, 7200.0),
        retention=RetentionSettings(5, 14 * 86400.0),
        room_for_copies=500 << 20,
        silenced=("FS321", "broker-drained"),
    )
    assert config.protects("prod-eu")
    assert not config.protects("dev")


@pytest.mark.parametrize("never", ["off", "no", "0", "'off'"])
def test_the_guard_can_be_switched_off(tmp_path: Path, never: str) -> None:
    config = written(tmp_path, f"guard: {{checkpoint: {never}}}")
    assert config.guard.checkpoint is None
    assert config.problems == ()


def test_copies_can_be_switched_off(tmp_path: Path) -> None:
    assert written(tmp_path, "copies: off").room_for_copies == 0


def test_an_unknown_key_is_named_and_the_others_count(tmp_path: Path) -> None:
    config = written(tmp_path, "them: dark\nguard: {chekpoint: 10}\nretention: {keep-last: 3}\n")
    assert config.retention.keep_last == 3
    first, second = config.problems
    assert "there is no setting guard.chekpoint" in first
    assert "there is no setting them" in second


@pytest.mark.parametrize(
    "text",
    [
        "theme: 7",
        "guard: yes",
        "guard: {checkpoint: soon}",
        "guard: {checkpoint: 0.1}",
        "guard: {save: 1s}",
        "retention: {keep-last: 0}",
        "retention: {keep-last: true}",
        "retention: {keep-within: -1}",
        "retention: {keep-within: .nan}",
        "copies: 7",
        "copies: 1 parsec",
    ],
)
def test_a_wrong_type_is_one_sentence_and_the_default(tmp_path: Path, text: str) -> None:
    config = written(tmp_path, text)
    (problem,) = config.problems
    assert "must be" in problem
    assert config == Config(problems=(problem,))


@pytest.mark.parametrize("text", ["protected: 7", "protected: [1]", "a: [", "- a", "\x00"])
def test_what_may_have_been_a_protection_protects_everything(tmp_path: Path, text: str) -> None:
    config = written(tmp_path, text)
    assert config.problems
    assert config.protects("anything")


@given(st.text())
def test_no_text_makes_it_fail(text: str) -> None:
    try:
        seconds = span(text)
    except ValueError:
        return
    assert 0 <= seconds < 1e10


def test_a_protected_context_is_read_only_until_write_is_said(home: Path) -> None:
    written(home, "protected: [prod-*]")
    assert options().read_only  # it is the current context
    assert not options("--write").read_only
    assert options("--write", "--read-only").read_only
    assert not options("--context", "dev").read_only
    assert options("--context", "prod-2").read_only
    assert options("--context", "dev", "--cluster", "prod-2").read_only


def test_without_protection_nothing_is_read_only(home: Path) -> None:
    assert not options().read_only


def test_the_mistake_is_told_on_stderr_once(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(home, "thme: x")
    options()
    options()
    assert capsys.readouterr().err.count("there is no setting thme") == 1


def test_the_example_says_nothing_that_is_not_understood() -> None:
    example = Path(__file__).parents[3] / "examples" / "config.yaml"
    config = load_config(example)
    assert config.problems == ()
    assert config.guard == GuardSettings()
    assert config.retention == RetentionSettings(10, 30 * 86400.0)


def test_the_current_context_is_that_of_the_first_file_that_has_one(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {"a": "users: []", "b": "{", "c": KUBECONFIG, "d": "x: 1"}.items():
        (home / name).write_text(text)
    listed = ":".join(str(home / name) for name in ("missing", "a", "b", "c", "d"))
    monkeypatch.setenv("KUBECONFIG", listed)
    assert current_context(KubeOptions()) == "prod-1"
    assert current_context(KubeOptions(kubeconfig=str(home / "a"))) == ""
    written(home, "protected: ['*']")
    assert options("--kubeconfig", str(home / "a")).read_only  # no context at all is protected too


@pytest.mark.parametrize("key", ["Protected", "PROTECTED", "protectd", "protected_", "protect"])
def test_a_mistyped_protection_protects_everything_and_says_so(tmp_path: Path, key: str) -> None:
    found = written(tmp_path, f"{key}: [prod-1]\n")
    assert found.protects("dev")
    assert "did you mean protected?" in found.problems[-1]


def test_a_setting_that_is_there_twice_is_told_with_its_line(tmp_path: Path) -> None:
    config = written(tmp_path, "protected: [prod-*]\ntheme: x\nprotected: []\n")
    assert config.protects("prod-eu")
    assert "line 3" in config.problems[0]
    assert "'protected' is there twice" in config.problems[0]
