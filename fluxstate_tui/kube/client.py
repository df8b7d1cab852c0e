"""One open cluster: the API that everything above the client layer uses.

This module is cheap to import; aiohttp and `kubernetes` are imported by `Cluster.open`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from fluxstate_tui.clock import Clock, SystemClock
from fluxstate_tui.kube.errors import (
    NOTHING_CHANGED,
    BadAnswer,
    CrdMissing,
    Forbidden,
    Gone,
    shorten,
)
from fluxstate_tui.kube.kubeconfig import KubeOptions
from fluxstate_tui.kube.list_body import decode_list, load_json
from fluxstate_tui.kube.objects import (
    FLUX_GROUP,
    MINICLUSTERS,
    MINICLUSTERS_V1ALPHA1,
    PODS,
    Resource,
)
from fluxstate_tui.minicluster.objects import as_map

if TYPE_CHECKING:
    from fluxstate_tui.kube.exec import ExecResult, ExecStream
    from fluxstate_tui.kube.transport import ByteStream, Route, Transport


# What we are allowed to do: SelfSubjectAccessReview (authorization.k8s.io/v1), remembered.

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_REMEMBERED_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Question:
    """One right. `namespace=None` asks for all namespaces."""

    verb: str
    resource: Resource
    namespace: str | None = None
    subresource: str = ""


class Access:
    """Asks the API server, and remembers its answers for a minute."""

    def __init__(self, cluster: Cluster, clock: Clock) -> None:
        self._cluster = cluster
        self._clock = clock
        self._known: dict[Question, tuple[bool, float]] = {}

    async def can(
        self,
        verb: str,
        resource: Resource,
        namespace: str | None = None,
        *,
        subresource: str = "",
    ) -> bool:
        """True if this is allowed. Raises KubeError if the review itself fails."""
        question = Question(verb, resource, namespace, subresource)
        remembered = self._known.get(question)
        if remembered and self._clock.now() - remembered[1] < _REMEMBERED_SECONDS:
            return remembered[0]
        allowed = await self._ask(question)
        self._known[question] = (allowed, self._clock.now())
        return allowed

    async def can_exec(self, namespace: str) -> bool:
        """True if commands can be run in pods, by any API server.

        A websocket exec needs `get` on pods/exec before Kubernetes 1.35, and `create` as well
        since (kubernetes#134577): ask for both.
        """
        return await self.can("get", PODS, namespace, subresource="exec") and await self.can(
            "create", PODS, namespace, subresource="exec"
        )

    async def _ask(self, question: Question) -> bool:
        attributes = {
            "verb": question.verb,
            "group": question.resource.group,
            "version": question.resource.version,
            "resource": question.resource.plural,
            "namespace": question.namespace or "",
        }
        if question.subresource:
            attributes["subresource"] = question.subresource
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        answer = await self._cluster.request("POST", REVIEWS, body=body)
        return bool(answer.get("status", {}).get("allowed"))


# Which version of MiniCluster a cluster serves.

_KNOWN = (MINICLUSTERS, MINICLUSTERS_V1ALPHA1)


async def find_minicluster_resource(cluster: Cluster) -> Resource:
    """Ask `/apis/flux-framework.org`. Raises CrdMissing if the Flux Operator is not there."""
    try:
        group = await cluster.request("GET", f"/apis/{FLUX_GROUP}")
    except Forbidden:
        # Discovery is open to everybody who is logged in; where it was closed, guess the newest.
        return MINICLUSTERS
    served = {str(version.get("version")) for version in group.get("versions") or ()}
    for resource in _KNOWN:
        if resource.version in served:
            return resource
    raise CrdMissing(
        f"This cluster serves MiniClusters only as {', '.join(sorted(served)) or 'nothing'}.",
        safe=NOTHING_CHANGED,
        advice="fluxstate-tui knows v1alpha1 and v1alpha2.",
    )


# Whole lists, page by page (Kubernetes API concepts: limit and continue).

PAGE = 250

Object = dict[str, Any]
Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Listing(Generic[Read]):
    """All objects of a list, and the resource version that a watch can go on from."""

    items: list[Read]
    resource_version: str


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What to list. `namespace=None` means all namespaces; `limit` is objects per page."""

    resource: Resource
    namespace: str | None = None
    label_selector: str = ""
    field_selector: str = ""
    limit: int = PAGE

    @property
    def path(self) -> str:
        """The collection's address."""
        return self.resource.path(self.namespace)

    @property
    def selectors(self) -> dict[str, str]:
        """The selectors as parameters, for lists and watches alike."""
        both = {"labelSelector": self.label_selector, "fieldSelector": self.field_selector}
        return {key: value for key, value in both.items() if value}


async def list_all(
    cluster: Cluster, query: ListQuery, read: Callable[[Object], Read]
) -> Listing[Read]:
    """Every page, each object as `read` makes it. Raises KubeError.

    When the list's snapshot expires in between (410), it starts once more.
    """
    try:
        return await _pages(cluster, query, read)
    except Gone:
        return await _pages(cluster, query, read)


async def _pages(
    cluster: Cluster, query: ListQuery, read: Callable[[Object], Read]
) -> Listing[Read]:
    items: list[Read] = []
    token = ""
    while True:
        params = {"limit": str(query.limit), **query.selectors}
        if token:
            params["continue"] = token
        body = await cluster.request_bytes("GET", query.path, params=params)
        try:
            page, fields = await decode_list(body, read)
        except ValueError as error:
            raise cluster.no_api_answer(body) from error
        items += page
        metadata = as_map(fields.get("metadata"))
        token = metadata.get("continue") or ""
        if not token:
            return Listing(items, str(metadata.get("resourceVersion") or ""))


JSON = "application/json"


class Cluster:
    """A cluster under one identity. Every method raises KubeError (kube/errors.py)."""

    def __init__(self, transport: Transport, options: KubeOptions, clock: Clock) -> None:
        self._transport = transport
        self._options = options
        self._minicluster_resource: Resource | None = None
        self.clock = clock
        self.access = Access(self, clock)

    @classmethod
    async def open(cls, options: KubeOptions, clock: Clock | None = None) -> Self:
        """Read the kubeconfig and make ready. Nothing is sent yet.

        Raises NoConfig, BadConfig, UnknownContext.
        """
        # In a thread, for it takes half a second and the screen must not stand still.
        await asyncio.to_thread(import_module, "fluxstate_tui.kube.transport")
        from fluxstate_tui.kube.transport import open_transport

        clock = clock or SystemClock()
        return cls(await open_transport(options, clock), options, clock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._transport.close()

    @property
    def route(self) -> Route:
        """How the server is reached and as whom."""
        return self._transport.route

    @property
    def namespace(self) -> str:
        """The namespace of `-n`, of the context, or 'default'."""
        return self.route.target.namespace

    @property
    def scope(self) -> str | None:
        """The namespace to list: None for all of them (`-A`)."""
        return None if self._options.all_namespaces else self.namespace

    @property
    def server(self) -> str:
        """The API server's address, as it may be shown."""
        return self.route.target.shown

    @property
    def context(self) -> str:
        """The context's name."""
        return self.route.target.context

    @property
    def user(self) -> str:
        """Who we are: the kubeconfig's name of the user, or whom we impersonate."""
        acting = dict(self.route.impersonation).get("Impersonate-User")
        return acting or self.route.target.user.name

    @property
    def read_only(self) -> bool:
        """True if nothing that changes anything can leave."""
        return self.route.read_only

    @property
    def clock_offset(self) -> float:
        """The API server's clock minus ours, in seconds (0.0 before the first answer)."""
        return self._transport.server_clock.offset

    @property
    def heard_at(self) -> float:
        """When a stream (watch, log, exec) of this server brought something last, by our clock."""
        return self._transport.heard_at

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Object | list[Any] | None = None,
        accept: str = JSON,
    ) -> Object:
        """One request, one JSON object."""
        answer = await self.request_bytes(method, path, params=params, body=body, accept=accept)
        try:
            document = load_json(answer)
        except ValueError as error:
            raise self.no_api_answer(answer) from error
        if not isinstance(document, dict):
            raise self.no_api_answer(answer)
        return document

    async def request_bytes(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Object | list[Any] | None = None,
        accept: str = JSON,
    ) -> bytes:
        """One request; the answer as it came."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Accept": accept}
        if data is not None:
            headers["Content-Type"] = JSON
        query = list((params or {}).items())
        return await self._transport.request(method, path, query, data, headers)

    def no_api_answer(self, answer: bytes) -> BadAnswer:
        """The error for a body that no Kubernetes API server sends (a login page, a cut one)."""
        return BadAnswer(
            f"{self.server} did not answer as a Kubernetes API server: {shorten(answer)}.",
            safe="If this was a change, look whether it was carried out.",
            advice="Check the server address of this context (perhaps a login page answers).",
        )

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        """One object. Raises NotFound."""
        return await self.request("GET", resource.path(namespace, name))

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        limit: int = PAGE,
    ) -> list[Object]:
        """All objects, paged. `namespace=None` means all namespaces."""
        query = ListQuery(resource, namespace, label_selector, field_selector, limit)
        listing = await list_all(self, query, _as_it_is)
        return listing.items

    async def create(
        self,
        resource: Resource,
        body: Object,
        namespace: str | None = None,
        *,
        dry_run: bool = False,
    ) -> Object:
        """Create an object. Raises Conflict (`already_exists`), Invalid."""
        return await self.request("POST", resource.path(namespace), params=_dry(dry_run), body=body)

    async def replace(
        self, resource: Resource, name: str, body: Object, namespace: str | None = None
    ) -> Object:
        """Replace an object (PUT). Raises Conflict if `resourceVersion` in it is not the newest."""
        return await self.request("PUT", resource.path(namespace, name), body=body)

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        uid: str = "",
        resource_version: str = "",
        dry_run: bool = False,
    ) -> Object:
        """Delete an object in the background. With `uid`, only this very one: else Conflict.

        Never in the foreground: the Flux Operator would create the Job again meanwhile.
        """
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        body: Object = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
        }
        if uid or resource_version:
            body["preconditions"] = {key: value for key, value in preconditions.items() if value}
        return await self.request(
            "DELETE", resource.path(namespace, name), params=_dry(dry_run), body=body
        )

    async def minicluster_resource(self) -> Resource:
        """MiniClusters in the version that this cluster serves. Raises CrdMissing."""
        return self._minicluster_resource or await self.discover_miniclusters()

    async def discover_miniclusters(self) -> Resource:
        """As minicluster_resource, but ask again: the operator may have been replaced."""
        self._minicluster_resource = await find_minicluster_resource(self)
        return self._minicluster_resource

    @asynccontextmanager
    async def stream(
        self, path: str, params: Mapping[str, str] | None = None
    ) -> AsyncIterator[ByteStream]:
        """An answer without an end (watch, log), as bytes."""
        async with self._transport.stream(path, list((params or {}).items())) as stream:
            yield stream

    async def exec(
        self,
        namespace: str,
        pod: str,
        container: str,
        argv: Sequence[str],
        *,
        stdin: bytes | None = None,
        timeout: float | None = None,
        only_reads: bool = False,
    ) -> ExecResult:
        """Run a command to its end; see kube/exec.py. Under --read-only it needs `only_reads`.

        Raises CommandNotFound, ContainerNotFound, ContainerNotRunning, ExecUnknown.
        """
        from fluxstate_tui.kube.exec import ExecCall, run_exec

        call = ExecCall(namespace, pod, container, tuple(argv), only_reads)
        return await run_exec(self._transport, call, stdin, timeout)

    @asynccontextmanager
    async def exec_stream(
        self,
        namespace: str,
        pod: str,
        container: str,
        argv: Sequence[str],
        *,
        only_reads: bool = False,
    ) -> AsyncIterator[ExecStream]:
        """Run a command and talk to it; see ExecStream in kube/exec.py."""
        from fluxstate_tui.kube.exec import ExecCall, open_exec

        call = ExecCall(namespace, pod, container, tuple(argv), only_reads)
        async with open_exec(self._transport, call) as stream:
            yield stream


def _dry(dry_run: bool) -> dict[str, str] | None:
    return {"dryRun": "All"} if dry_run else None


def _as_it_is(item: Object) -> Object:
    return item
