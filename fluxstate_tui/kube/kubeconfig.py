"""Which cluster, as whom: the kubeconfig resolved to one target.

Reading and merging files is done by the official `kubernetes` package; what it gets wrong is closed
here: the *first* file's current-context wins (as in kubectl; the package takes the last one's), an
unknown user is an error (the package goes on as nobody), `$KUBECONFIG` is read now, not at import.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fluxstate_tui.kube.errors import NOTHING_SENT, BadConfig, NoConfig, UnknownContext

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
    """Find the kubeconfig and resolve it. It imports `kubernetes`, so call it in a thread."""
    paths = [path for path in _candidates(options, environ) if _is_there(path)]
    if not paths:
        if options.kubeconfig is None and _in_pod(environ, service_account):
            return _service_account_target(options, environ, service_account)
        raise _no_config(options, environ)
    return _resolve(_read(paths), options)


def current_context(options: KubeOptions, environ: Mapping[str, str] = os.environ) -> str:
    """The name of the context that is used when none is given, '' if none can be found.

    It reads plain YAML, without `kubernetes`: what is wrong with a file is told on connecting.
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
    import yaml

    for path in _candidates(options, environ):
        try:
            data = yaml.safe_load(path.read_text("utf-8"))
        except (OSError, ValueError, yaml.YAMLError):
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
    import yaml
    from kubernetes.config import ConfigException
    from kubernetes.config.kube_config import KubeConfigMerger

    merger = KubeConfigMerger("")
    for path in paths:
        try:
            merger.load_config(str(path))
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f" in line {mark.line + 1}" if mark is not None else ""
            raise _broken(path, f"is not valid YAML{where}") from error
        except OSError as error:
            raise _broken(path, f"cannot be read ({error.strerror})") from error
        except ConfigException as error:
            raise _broken(path, f"is not a kubeconfig ({error})") from error
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise _broken(path, "is not a kubeconfig (clusters, users and contexts)") from error
    return Kubeconfig(
        source=", ".join(str(path) for path in paths),
        current_context=_first_current_context(merger.config_files, paths),
        contexts=_entries(merger.config.value, "contexts", "context"),
        clusters=_entries(merger.config.value, "clusters", "cluster"),
        users=_entries(merger.config.value, "users", "user"),
    )


def _broken(path: Path, problem: str) -> BadConfig:
    return BadConfig(
        f"The kubeconfig {path} {problem}.",
        safe=NOTHING_SENT,
        advice="Check it with `kubectl config view`, or give another one with --kubeconfig.",
    )


def _first_current_context(files: dict[str, Any], paths: list[Path]) -> str:
    for path in paths:
        chosen = files[str(path)].get("current-context")
        if chosen:
            return str(chosen)
    return ""


def _entries(merged: dict[str, Any], section: str, key: str) -> dict[str, Entry]:
    found = {}
    for node in merged[section]:
        item = node.value
        if not isinstance(item, dict) or "name" not in item:
            raise _broken(Path(node.path), f"is not a kubeconfig (a {key} has no name)")
        data = item.get(key) or {}
        if not isinstance(data, dict):
            raise _broken(Path(node.path), f"has a broken {key} '{item['name']}'")
        name = str(item["name"])
        found[name] = Entry(name, data, Path(node.path).resolve().parent)
    return found


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
    return Target(config.source, name, server, namespace, cluster, user)


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
    return Target(str(directory), "in-cluster", server, options.namespace or own, cluster, user)
