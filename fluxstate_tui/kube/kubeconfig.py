"""Which cluster, as whom: the kubeconfig resolved to one target.

As kubectl reads it: of several files the *first* one that has an entry or a current-context counts
(the official `kubernetes` package takes the last one's), files that are empty or not there are
passed over, `$KUBECONFIG` is read now, not at import. An unknown user is an error, and so is a key
that is there twice: nobody acts under an identity that they did not choose.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fluxstate_tui.kube.errors import NOTHING_SENT, BadConfig, NoConfig, UnknownContext
from fluxstate_tui.yaml_text import YamlError, load

# What the user may say about the cluster to talk to: kubectl's own flags.


@dataclass(frozen=True, slots=True)
class KubeOptions:
    """The common flags, as kubectl has them. None means: as the kubeconfig says.

    `kubeconfig` is one path (`--kubeconfig`); without it `$KUBECONFIG` (a list of paths), then
    `~/.kube/config`, then the service account of the pod that we run in. `as_user` and `as_groups`
    impersonate. `request_timeout` is in seconds and bounds one request, not a watch; 0 means no
    limit, as in kubectl. `terminal`: a credential plugin may use the terminal.
    """

    kubeconfig: str | None = None
    context: str | None = None
    cluster: str | None = None
    user: str | None = None
    namespace: str | None = None
    all_namespaces: bool = False
    as_user: str | None = None
    as_groups: tuple[str, ...] = ()
    read_only: bool = False
    request_timeout: float = 30.0
    terminal: bool = False


SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True)
class Entry:
    """One named cluster, user or context; `directory` is what its relative paths start from."""

    name: str
    data: dict[str, Any]
    directory: Path


@dataclass(frozen=True, slots=True)
class Target:
    """One API server and one identity. `source` says where it was read from, for messages."""

    source: str
    context: str
    server: str
    namespace: str
    cluster: Entry
    user: Entry

    @property
    def shown(self) -> str:
        """The server for people: without a path, which may hold a token (as in the simulation)."""
        parts = urlsplit(self.server)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """The merged files, not yet resolved to a context."""

    source: str
    current_context: str
    contexts: dict[str, Entry]
    clusters: dict[str, Entry]
    users: dict[str, Entry]


def resolve_target(
    options: KubeOptions,
    environ: Mapping[str, str] = os.environ,
    service_account: Path = SERVICE_ACCOUNT,
) -> Target:
    """Find the kubeconfig and resolve it. It reads files, so call it in a thread."""
    paths = [path for path in _candidates(options, environ) if _is_there(path)]
    if not paths:
        if options.kubeconfig is None and _in_pod(environ, service_account):
            return _service_account_target(options, environ, service_account)
        raise _no_config(options, environ)
    return _resolve(_read(paths), options)


def current_context(options: KubeOptions, environ: Mapping[str, str] = os.environ) -> str:
    """The name of the context that is used when none is given, '' if none can be found.

    What is wrong with a file is told on connecting.
    """
    for data in _readable(options, environ):
        if data.get("current-context"):
            return str(data["current-context"])
    return ""


def context_names(options: KubeOptions, environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The contexts that there are, in the order of the files, each once."""
    names: dict[str, None] = {}
    for data in _readable(options, environ):
        contexts = data.get("contexts")
        for item in contexts if isinstance(contexts, list) else ():
            if isinstance(item, dict) and item.get("name"):
                names[str(item["name"])] = None
    return tuple(names)


def _readable(options: KubeOptions, environ: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for path in _candidates(options, environ):
        try:
            data = load(path.read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(data, dict):
            yield data


def _candidates(options: KubeOptions, environ: Mapping[str, str]) -> list[Path]:
    if options.kubeconfig is not None:
        return [Path(options.kubeconfig).expanduser()]
    listed = [part for part in environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    if listed:
        return [Path(part).expanduser() for part in listed]
    return [Path(environ.get("HOME", "~")).expanduser() / ".kube" / "config"]


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return True  # In a folder that we may not enter: reading it will say so.


def _no_config(options: KubeOptions, environ: Mapping[str, str]) -> NoConfig:
    tried = ", ".join(str(path) for path in _candidates(options, environ))
    return NoConfig(
        f"There is no kubeconfig: {tried} does not exist.",
        safe=NOTHING_SENT,
        advice="Give one with --kubeconfig or $KUBECONFIG, or look around with --demo.",
    )


def _read(paths: list[Path]) -> Kubeconfig:
    source = ", ".join(str(path) for path in paths)
    files = [(path, data) for path in paths if (data := _read_one(path)) is not None]
    if not files:
        raise _broken(Path(source), "is not a kubeconfig (it is empty)")
    chosen = [_text(data, "current-context", path, "the file") for path, data in files]
    return Kubeconfig(
        source=source,
        current_context=next(filter(None, chosen), ""),
        contexts=_entries(files, "context"),
        clusters=_entries(files, "cluster"),
        users=_entries(files, "user"),
    )


def _read_one(path: Path) -> dict[str, Any] | None:
    """What is in a file, None if that is nothing."""
    try:
        data = load(path.read_bytes())
    except YamlError as error:
        where = f" in line {error.line}" if error.line else ""
        raise _broken(path, f"is not valid YAML{where} ({error.problem})") from error
    except OSError as error:
        raise _broken(path, f"cannot be read ({error.strerror})") from error
    if data is None or isinstance(data, dict):
        return data
    raise _broken(path, "is not a kubeconfig (clusters, users and contexts)")


def _broken(path: Path, problem: str) -> BadConfig:
    return BadConfig(
        f"The kubeconfig {path} {problem}.",
        safe=NOTHING_SENT,
        advice="Check it with `kubectl config view`, or give another one with --kubeconfig.",
    )


# Fields that are texts to kubectl. A number among them may be another text than what was written:
# 0123 is 83.
_TEXTS = {
    "context": ("cluster", "user", "namespace"),
    "cluster": (
        *("server", "tls-server-name", "proxy-url"),
        *("certificate-authority", "certificate-authority-data"),
    ),
    "user": (
        *("token", "tokenFile", "username", "password", "as", "as-uid"),
        *("client-certificate", "client-certificate-data", "client-key", "client-key-data"),
    ),
}


def _entries(files: list[tuple[Path, dict[str, Any]]], key: str) -> dict[str, Entry]:
    """The named entries of all files; the first one of a name counts."""
    found: dict[str, Entry] = {}
    for path, document in files:
        section = document.get(f"{key}s")
        if section is not None and not isinstance(section, list):
            raise _broken(path, f"is not a kubeconfig ({key}s is no list)")
        for item in section or ():
            if not isinstance(item, dict) or "name" not in item:
                raise _broken(path, f"is not a kubeconfig (a {key} has no name)")
            name = _text(item, "name", path, f"a {key}")
            data = item.get(key) or {}
            if not isinstance(data, dict):
                raise _broken(path, f"has a broken {key} '{name}'")
            for field in _TEXTS[key]:
                _text(data, field, path, f"{key} '{name}'")
            if key == "user":
                _check_plugin(data.get("exec"), path, f"user '{name}'")
            found.setdefault(name, Entry(name, data, path.resolve().parent))
    return found


def _check_plugin(stanza: object, path: Path, of: str) -> None:
    if stanza is None:
        return
    if not isinstance(stanza, dict):
        raise _broken(path, f"has a broken {of}: exec is no map")
    for field in ("command", "apiVersion", "interactiveMode", "installHint"):
        _text(stanza, field, path, f"exec of {of}")
    args = stanza.get("args") or []
    if not isinstance(args, list):
        raise _broken(path, f"has a broken {of}: exec.args is no list")
    for number, argument in enumerate(args):
        _text({f"args[{number}]": argument}, f"args[{number}]", path, f"exec of {of}")
    variables = stanza.get("env") or []
    if not isinstance(variables, list) or not all(
        isinstance(one, dict) and "name" in one and "value" in one for one in variables
    ):
        raise _broken(path, f"has a broken {of}: exec.env is no list of names with values")
    for one in variables:
        _text(one, "name", path, f"exec.env of {of}")
        _text(one, "value", path, f"exec.env of {of}")


def _text(data: dict[str, Any], field: str, path: Path, of: str) -> str:
    """A field that is a text, '' if it is not there."""
    value = data.get(field)
    if value is None or isinstance(value, str):
        return value or ""
    kind = "a truth value" if isinstance(value, bool) else "a number"
    if isinstance(value, (dict, list)):
        kind = "a list" if isinstance(value, list) else "a map"
    raise _broken(path, f"is not a kubeconfig ({field} of {of} is {kind}, not a text: quote it)")


def _resolve(config: Kubeconfig, options: KubeOptions) -> Target:
    name = options.context or config.current_context
    context = _context(config, name, options)
    cluster = _pick(config, "cluster", options.cluster or str(context.get("cluster") or ""))
    user_name = options.user or str(context.get("user") or "")
    # A context without any user is anonymous by the user's own choice; a name that is not there
    # is a mistake.
    user = _pick(config, "user", user_name) if user_name else Entry("", {}, cluster.directory)
    server = str(cluster.data.get("server") or "").rstrip("/")
    if not _is_address(server):
        raise BadConfig(
            f"Cluster '{cluster.name}' in {config.source} has no usable server address.",
            safe=NOTHING_SENT,
            advice="It needs `server: https://...`.",
        )
    namespace = options.namespace or str(context.get("namespace") or "") or "default"
    return Target(
        source=config.source,
        context=name,
        server=server,
        namespace=namespace,
        cluster=cluster,
        user=user,
    )


def _is_address(server: str) -> bool:
    try:
        parts = urlsplit(server)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _context(config: Kubeconfig, name: str, options: KubeOptions) -> dict[str, Any]:
    if name in config.contexts:
        return config.contexts[name].data
    if options.context:
        raise UnknownContext("context", name, list(config.contexts), config.source)
    if options.cluster:
        return {}
    if name:
        raise UnknownContext("current context", name, list(config.contexts), config.source)
    listed = ", ".join(sorted(config.contexts)) or "none"
    raise BadConfig(
        f"No context is chosen in {config.source}.",
        safe=NOTHING_SENT,
        advice=f"Choose one with --context or `kubectl config use-context`: {listed}.",
    )


def _pick(config: Kubeconfig, what: str, name: str) -> Entry:
    entries = config.clusters if what == "cluster" else config.users
    if name not in entries:
        raise UnknownContext(what, name, list(entries), config.source)
    return entries[name]


def _in_pod(environ: Mapping[str, str], service_account: Path) -> bool:
    return bool(environ.get("KUBERNETES_SERVICE_HOST")) and (service_account / "token").exists()


def _service_account_target(
    options: KubeOptions, environ: Mapping[str, str], directory: Path
) -> Target:
    """The service account of the pod that we run in (its token file is rotated by the kubelet)."""
    host = environ["KUBERNETES_SERVICE_HOST"]
    port = environ.get("KUBERNETES_SERVICE_PORT") or "443"
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    cluster = Entry("in-cluster", {"certificate-authority": "ca.crt"}, directory)
    user = Entry("service account", {"tokenFile": "token"}, directory)
    namespace_file = directory / "namespace"
    own = namespace_file.read_text().strip() if namespace_file.exists() else "default"
    return Target(
        source=str(directory),
        context="in-cluster",
        server=server,
        namespace=options.namespace or own,
        cluster=cluster,
        user=user,
    )
