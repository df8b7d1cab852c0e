"""Which cluster, as whom: nobody acts under an identity that was not chosen."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fluxstate_tui.kube.errors import BadConfig, ConfigError, NoConfig, UnknownContext
from fluxstate_tui.kube.kubeconfig import KubeOptions, resolve_target
from tests.unit.kube.server import write_kubeconfig


def two_contexts(path: Path, current: str = "one", **top: Any) -> Path:
    def named(key: str, **items: Any) -> list[dict[str, Any]]:
        return [{"name": name, key: item} for name, item in items.items()]

    document = {
        "current-context": current,
        "clusters": named("cluster", a={"server": "https://a"}, b={"server": "https://b/"}),
        "users": named("user", u={"token": "1"}, v={"token": "2"}),
        "contexts": named(
            "context",
            one={"cluster": "a", "user": "u", "namespace": "flux"},
            two={"cluster": "b", "user": "v"},
        ),
        **top,
    }
    path.write_text(yaml.safe_dump(document))
    return path


def test_the_current_context_is_taken(tmp_path: Path) -> None:
    path = two_contexts(tmp_path / "config")
    target = resolve_target(KubeOptions(kubeconfig=str(path)), {})
    assert (target.context, target.server, target.namespace) == ("one", "https://a", "flux")
    assert target.user.data == {"token": "1"}


def test_flags_win_over_the_file(tmp_path: Path) -> None:
    path = str(two_contexts(tmp_path / "config"))
    target = resolve_target(KubeOptions(kubeconfig=path, context="two", namespace="x"), {})
    assert (target.server, target.namespace) == ("https://b", "x")
    mixed = resolve_target(KubeOptions(kubeconfig=path, cluster="b", user="u"), {})
    assert (mixed.server, mixed.user.name) == ("https://b", "u")


def test_the_flag_wins_over_the_environment_and_that_over_the_home(tmp_path: Path) -> None:
    (tmp_path / ".kube").mkdir()
    two_contexts(tmp_path / ".kube" / "config", current="two")
    listed = two_contexts(tmp_path / "listed")
    home = {"HOME": str(tmp_path)}
    assert resolve_target(KubeOptions(), home).context == "two"
    both = home | {"KUBECONFIG": str(listed)}
    assert resolve_target(KubeOptions(), both).context == "one"
    flag = KubeOptions(kubeconfig=str(tmp_path / ".kube" / "config"))
    assert resolve_target(flag, both).context == "two"


def test_of_several_files_the_first_chooses_the_context_as_in_kubectl(tmp_path: Path) -> None:
    """The official package lets the last one choose: another cluster, without a word."""
    first = two_contexts(tmp_path / "first", current="one")
    second = two_contexts(tmp_path / "second", current="two")
    missing = tmp_path / "missing"
    environ = {"KUBECONFIG": f"{missing}:{first}:{second}"}
    assert resolve_target(KubeOptions(), environ).context == "one"


def test_without_a_kubeconfig_it_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(NoConfig, match=r"\.kube/config does not exist") as caught:
        resolve_target(KubeOptions(), {"HOME": str(tmp_path)})
    assert "--demo" in caught.value.advice
    with pytest.raises(NoConfig, match="nowhere"):
        resolve_target(KubeOptions(kubeconfig="/nowhere"), {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("clusters: [\nfoo: }", "not valid YAML in line 2"),
        ("", "is not a kubeconfig"),
        ("just words", "is not a kubeconfig"),
        ("- a\n- b", "is not a kubeconfig"),
        ("clusters: 3", "is not a kubeconfig"),
        ("clusters: [{cluster: {}}]", "is not a kubeconfig"),
        ("users: [3]", "a user has no name"),
        ("users: [{name: u, user: [1]}]", "broken user 'u'"),
        ("clusters: []", "No context is chosen"),
        ("\x00\x01", "is not valid YAML"),
    ],
)
def test_a_broken_kubeconfig_is_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(BadConfig, match=words) as caught:
        resolve_target(KubeOptions(kubeconfig=str(path)), {})
    assert str(path) in caught.value.message
    assert caught.value.exit_code == 3


def test_bytes_that_are_no_text_are_no_kubeconfig(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_bytes(b"\xff\xfe\x00clusters")
    with pytest.raises(BadConfig):
        resolve_target(KubeOptions(kubeconfig=str(path)), {})


def test_an_unknown_context_lists_the_known_ones(tmp_path: Path) -> None:
    path = two_contexts(tmp_path / "config")
    with pytest.raises(UnknownContext, match="no context 'three'") as caught:
        resolve_target(KubeOptions(kubeconfig=str(path), context="three"), {})
    assert caught.value.advice == "Choose one of: one, two."
    gone = two_contexts(tmp_path / "gone", current="deleted")
    with pytest.raises(UnknownContext, match="current context 'deleted'"):
        resolve_target(KubeOptions(kubeconfig=str(gone)), {})


def test_a_user_that_is_not_there_is_an_error_not_nobody(tmp_path: Path) -> None:
    path = write_kubeconfig(tmp_path / "c", "https://a", context={"user": "nobody-knows"})
    with pytest.raises(UnknownContext, match="no user 'nobody-knows'"):
        resolve_target(KubeOptions(kubeconfig=path), {})


@pytest.mark.parametrize("server", ["kube:6443", "", "https://", "https://[bad", "https://a:b"])
def test_a_server_address_is_needed(tmp_path: Path, server: str) -> None:
    path = write_kubeconfig(tmp_path / "c", server)
    with pytest.raises(BadConfig, match="no usable server address"):
        resolve_target(KubeOptions(kubeconfig=path), {})


def test_in_a_pod_the_service_account_is_used(tmp_path: Path) -> None:
    for name, text in (("token", "secret"), ("ca.crt", "pem"), ("namespace", "flux\n")):
        (tmp_path / name).write_text(text)
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}
    environ["HOME"] = str(tmp_path)
    target = resolve_target(KubeOptions(), environ, tmp_path)
    assert target.server == "https://[fd00::1]:6443"
    assert (target.namespace, target.user.data) == ("flux", {"tokenFile": "token"})
    assert resolve_target(KubeOptions(namespace="x"), environ, tmp_path).namespace == "x"
    with pytest.raises(NoConfig):
        resolve_target(KubeOptions(kubeconfig="/nowhere"), environ, tmp_path)


FIELDS = [
    *("clusters", "users", "contexts", "current-context", "name", "cluster", "user", "context"),
    *("server", "namespace", "token"),
]
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 1) | st.sampled_from(["", "a", "https://a"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4)
    ),
    max_leaves=12,
)


def section(key: str) -> st.SearchStrategy[Any]:
    """A list as it should be, with junk in places."""
    named = st.fixed_dictionaries({"name": st.just("a") | JUNK, key: GOOD | JUNK})
    return st.lists(named, min_size=1, max_size=2) | JUNK


GOOD = st.fixed_dictionaries({"server": st.just("https://a"), "cluster": st.just("a")})
DOCUMENTS = st.fixed_dictionaries(
    {
        "clusters": section("cluster"),
        "users": section("user"),
        "contexts": section("context"),
        "current-context": st.just("a") | JUNK,
    }
)


@given(document=DOCUMENTS | JUNK, context=st.sampled_from([None, "a"]))
def test_no_junk_in_a_kubeconfig_crashes_it(document: Any, context: str | None) -> None:
    with tempfile.NamedTemporaryFile("w") as file:
        yaml.safe_dump(document, file)
        file.flush()
        try:
            target = resolve_target(KubeOptions(kubeconfig=file.name, context=context), {})
        except ConfigError as error:
            assert error.message.endswith(".")
        else:
            assert target.server == "https://a"


@pytest.mark.parametrize("nothing", ["", "\n# not yet\n", "---\n", "null\n"])
def test_an_empty_file_among_several_is_passed_over_as_in_kubectl(
    tmp_path: Path, nothing: str
) -> None:
    (tmp_path / "empty").write_text(nothing)
    path = two_contexts(tmp_path / "config")
    for order in ((tmp_path / "empty", path), (path, tmp_path / "empty")):
        environ = {"KUBECONFIG": ":".join(map(str, order)), "HOME": str(tmp_path)}
        assert resolve_target(KubeOptions(), environ).context == "one"
    with pytest.raises(BadConfig, match="it is empty"):
        resolve_target(KubeOptions(kubeconfig=str(tmp_path / "empty")), {})


def test_sections_that_are_null_are_empty_as_kubectl_writes_them(tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    fresh.write_text(
        "apiVersion: v1\nkind: Config\nclusters: null\ncontexts: null\nusers: null\n"
        'preferences: {}\ncurrent-context: ""\n'
    )
    path = two_contexts(tmp_path / "config", current="two")
    environ = {"KUBECONFIG": f"{fresh}:{path}"}
    assert resolve_target(KubeOptions(), environ).context == "two"
    with pytest.raises(BadConfig, match="No context is chosen"):
        resolve_target(KubeOptions(kubeconfig=str(fresh)), {})


def test_of_entries_with_one_name_the_first_files_counts(tmp_path: Path) -> None:
    (tmp_path / "first").write_text("users: [{name: u, user: {token: mine}}]")
    path = two_contexts(tmp_path / "config")
    target = resolve_target(KubeOptions(), {"KUBECONFIG": f"{tmp_path}/first:{path}"})
    assert target.user.data == {"token": "mine"}


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ("{token: 2024-01-15}", ""),
        ("{username: a, password: 12:30:45}", ""),
        ("{token: 0123}", "token of user 'u' is a number, not a text: quote it"),
        ("{username: a, password: yes}", "password of user 'u' is a truth value"),
        ("{token: a, token: b}", r"in line 1 \(the key 'token' is there twice"),
        (
            "{exec: {apiVersion: client.authentication.k8s.io/v1, command: x, args: [0123]}}",
            r"args\[0\] of exec of user 'u' is a number",
        ),
        ("{exec: {command: x, env: [{name: A, value: 1}]}}", "value of exec.env of user 'u' is a"),
        ("{exec: {command: x, env: [A]}}", "exec.env is no list of names with values"),
        ("{exec: [x]}", "exec is no map"),
    ],
)
def test_a_credential_is_the_text_that_was_written_or_refused(
    tmp_path: Path, user: str, words: str
) -> None:
    path = tmp_path / "config"
    path.write_text(
        f"users: [{{name: u, user: {user}}}]\n"
        "clusters: [{name: c, cluster: {server: 'https://a'}}]\n"
        "contexts: [{name: here, context: {cluster: c, user: u}}]\ncurrent-context: here\n"
    )
    if words:
        with pytest.raises(BadConfig, match=words) as caught:
            resolve_target(KubeOptions(kubeconfig=str(path)), {})
        assert caught.value.exit_code == 3
        return
    data = resolve_target(KubeOptions(kubeconfig=str(path)), {}).user.data
    assert {"2024-01-15", "12:30:45"} & set(data.values())
