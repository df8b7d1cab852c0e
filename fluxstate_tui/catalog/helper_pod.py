"""A short-lived pod on the volume of the archives, for when no MiniCluster runs.

It is made by a fixed template: of a MiniCluster's spec it takes the one volume of the archives, the
nodes that can mount it, and, unless one is configured, the image, which the nodes have already. So
the spec must be one that others could not have written, or that was agreed to. It runs `sleep`
with no privilege, no capability and no token, as nobody, or as the owner of the archives where
nobody may not work; it fits Pod Security "restricted" where its volume and that owner do. It ends
by itself after a deadline, and has a label (a pod without any label in the namespace makes the
operator's label patch fail for ever).

None is started without consent: see `HelperPodNeededError`.
"""

from __future__ import annotations

import asyncio
import posixpath
import secrets
from dataclasses import dataclass
from typing import Any

from fluxstate_tui.archive.manifest import folder_of
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.broker.retry import BROKEN, RetryingFiles, retry
from fluxstate_tui.broker.shell_commands import ShellCommands
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.kube.errors import Conflict, Gone, NotFound
from fluxstate_tui.kube.objects import PODS
from fluxstate_tui.minicluster.archive_volume import archive_volume, container_of
from fluxstate_tui.minicluster.mount import mounts_of

DEADLINE_SECONDS = 1800
START_SECONDS = 120.0
TAKE_BACK_SECONDS = 10.0
_CONTAINER = "files"


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom it runs: uid and gid."""

    user: int
    group: int


NOBODY = Identity(65534, 65534)


class HelperPod:
    """A running helper pod; `files` works on its volume. Remove it when done."""

    def __init__(self, context: OperationContext, namespace: str, name: str, uid: str) -> None:
        self._context = context
        self._namespace = namespace
        self._uid = uid
        self.name = name
        self.body: dict[str, Any] = {}
        self.identity = NOBODY
        self._place = (namespace, name, _CONTAINER)

    @property
    def files(self) -> RetryingFiles:
        """The files that its container sees."""
        mounts = mounts_of(self.body, _CONTAINER)
        return RetryingFiles(self._context.cluster, self._context.clock, self._place, mounts)

    @classmethod
    async def start(
        cls,
        context: OperationContext,
        manifest: dict[str, Any],
        *,
        fresh: bool = False,
        writes: bool = True,
    ) -> HelperPod:
        """Create it and wait until its container runs. Raises FluxstateError with the reason.

        With `fresh` nothing need have been on the volume before: a directory of a node is made.
        Without `writes` it need only read there.
        """
        image = context.helper_image
        identity = identity_of(manifest)
        body = pod_for(manifest, _token(), fresh=fresh, image=image, identity=identity)
        helper = await cls._start(context, body, identity)
        try:
            owner = await helper._owner(manifest["spec"]["archive"]["path"], writes=writes)
            if owner == identity:
                return helper
        except BaseException:
            await helper.remove()
            raise
        await helper.remove()
        body = pod_for(manifest, _token(), fresh=fresh, image=image, identity=owner)
        return await cls._start(context, body, owner)

    async def _owner(self, archive_path: str, *, writes: bool) -> Identity:
        """Who it must be to work there: itself, or else the owner of what it may not touch."""
        for folder in (posixpath.dirname(archive_path), folder_of(archive_path)):
            access = await self.files.access(folder, writes=writes)
            if not access.allowed:
                return Identity(access.user, access.group)
        return self.identity

    @classmethod
    async def _start(
        cls, context: OperationContext, body: dict[str, Any], identity: Identity
    ) -> HelperPod:
        namespace = body["metadata"]["namespace"]
        creating = asyncio.create_task(_create(context, namespace, body))
        try:
            created = await asyncio.shield(creating)
        except asyncio.CancelledError:
            # What was sent may have its effect all the same, and nobody else knows that pod.
            await asyncio.wait({creating}, timeout=TAKE_BACK_SECONDS)
            if not creating.cancel() and creating.exception() is None:
                await cls._of(context, creating.result()).remove()
            raise
        helper = cls._of(context, created)
        helper.body, helper.identity = body, identity
        try:
            await helper._wait()
        except BaseException:
            await helper.remove()
            raise
        return helper

    @classmethod
    def _of(cls, context: OperationContext, created: dict[str, Any]) -> HelperPod:
        metadata = created["metadata"]
        return cls(context, metadata["namespace"], metadata["name"], metadata["uid"])

    async def renewed(self) -> HelperPod:
        """Itself while it runs, else another one on the same volume. Raises FluxstateError.

        It ends by itself after its deadline, and people may look at a preview for longer.
        """
        try:
            await self._wait()
        except FluxstateError:
            await self.remove()
            metadata = {**self.body["metadata"], "name": _name(_token())}
            body = {**self.body, "metadata": metadata}
            return await self._start(self._context, body, self.identity)
        return self

    def lines(self) -> tuple[str, str]:
        """The lines for a shell that make it and wait until it runs."""
        hand = ShellCommands.of(self._context)
        place = ("-n", self._namespace, f"pod/{self.name}")
        return hand.create(self.body), hand.kubectl("wait", "--for=condition=Ready", *place)

    def line(self, *argv: str) -> str:
        """The line for a shell that works on its files."""
        return ShellCommands.of(self._context).inside(self.files.place, *argv)

    async def remove(self) -> None:
        """Delete it at once. A pod that is gone already is fine."""
        await retry(self._context.clock, self._remove, trouble=(*BROKEN, Conflict, Gone))

    async def _remove(self) -> None:
        """Harmless to repeat. A conflict may mean that another pod has its name by now."""
        cluster, path = self._context.cluster, PODS.path(self._namespace, self.name)
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": self._uid}}
        try:
            await cluster.request("DELETE", path, body=body)
        except NotFound:
            return
        except Conflict:
            found = await cluster.request("GET", path)
            if found["metadata"]["uid"] == self._uid:
                raise

    async def _wait(self) -> None:
        clock = self._context.clock
        deadline = clock.now() + START_SECONDS
        reason = ""
        path = PODS.path(self._namespace, self.name)
        while clock.now() < deadline:
            pod = await retry(clock, lambda: self._context.cluster.request("GET", path))
            reason = why_not_running(pod)
            if not reason:
                return
            await clock.sleep(0.5)
        raise FluxstateError(
            f"the helper pod {self.name} does not start: {reason}",
            safe="Nothing was changed on the volume.",
            advice="The volume of spec.archive.path must exist and be free to be mounted.",
        )


async def _create(
    context: OperationContext, namespace: str, body: dict[str, Any]
) -> dict[str, Any]:
    """Create it, also over trouble: a pod that has its name already is ours, for nobody else knows
    the name, and only the answer was lost."""

    async def once() -> dict[str, Any]:
        try:
            return await context.cluster.request("POST", PODS.path(namespace), body=body)
        except Conflict:
            path = PODS.path(namespace, body["metadata"]["name"])
            return await context.cluster.request("GET", path)

    return await retry(context.clock, once)


def pod_for(
    manifest: dict[str, Any],
    token: str,
    *,
    fresh: bool = False,
    image: str = "",
    identity: Identity = NOBODY,
) -> dict[str, Any]:
    """The pod for that MiniCluster's archive volume. Raises FluxstateError without one.

    `image` is another one than that of the MiniCluster's own container.
    """
    spec = manifest["spec"]
    container, volume = container_of(spec), archive_volume(spec)
    if container is None or volume is None:
        raise FluxstateError(
            "the manifest does not say on which volume its archives lie",
            safe="Nothing was done.",
            advice="Give a manifest whose spec.archive.path lies on a volume of its container.",
        )
    not_root = identity.user != 0
    pod_spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": DEADLINE_SECONDS,
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": not_root,
            "runAsUser": identity.user,
            "runAsGroup": identity.group,
            **_groups(spec),
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": _CONTAINER,
                "image": image or container["image"],
                "command": ["sleep", str(DEADLINE_SECONDS)],
                "volumeMounts": [{"name": "archives", "mountPath": volume["path"]}],
                "securityContext": {
                    "runAsNonRoot": not_root,
                    "privileged": False,
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
        "volumes": [{"name": "archives", **_source(volume, fresh)}],
        **_where(spec),
    }
    if container.get("imagePullSecret") and not image:
        pod_spec["imagePullSecrets"] = [{"name": container["imagePullSecret"]}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": _name(token),
            "namespace": manifest["metadata"]["namespace"],
            "labels": {
                "app.kubernetes.io/managed-by": "fluxstate-tui",
                "fluxstate/for": manifest["metadata"]["name"],
            },
        },
        "spec": pod_spec,
    }


def identity_of(manifest: dict[str, Any]) -> Identity:
    """As whom to begin: the user of the MiniCluster's own container unless that is root."""
    context = (container_of(manifest["spec"]) or {}).get("securityContext")
    user = _positive(context, "runAsUser")
    if user is None:
        return NOBODY
    return Identity(user, _positive(context, "runAsGroup") or user)


def pod_words(body: dict[str, Any]) -> str:
    """For people who are asked whether it may be started: what, on which volume, as whom, where."""
    spec = body["spec"]
    (container,), (volume,) = spec["containers"], spec["volumes"]
    source = volume.get("hostPath", {}).get("path")
    claim = volume.get("persistentVolumeClaim", {}).get("claimName")
    where = f"directory {source} of its node" if source else f"claim {claim}"
    user = spec["securityContext"]["runAsUser"]
    nodes = [f"{key}={value}" for key, value in (spec.get("nodeSelector") or {}).items()]
    return (
        f"a pod in {body['metadata']['namespace']} with image {container['image']}, {where}, as "
        f"user {user} or the owner of the archives, on "
        + (f"a node with {', '.join(nodes)}" if nodes else "any node")
    )


def _where(spec: dict[str, Any]) -> dict[str, Any]:
    """Let the pod go where the MiniCluster's pods went."""
    settings = spec.get("pod") or {}
    fields = ("nodeSelector", "tolerations", "schedulerName", "runtimeClassName")
    return {field: settings[field] for field in fields if settings.get(field)}


def _groups(spec: dict[str, Any]) -> dict[str, Any]:
    """Of a pod's security context the operator hands on the group of its volumes, too."""
    group = _positive((spec.get("pod") or {}).get("securityContext"), "fsGroup")
    return {} if group is None else {"fsGroup": group, "fsGroupChangePolicy": "OnRootMismatch"}


def _positive(context: object, field: str) -> int | None:
    value = context.get(field) if isinstance(context, dict) else None
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        return None
    return value


def _token() -> str:
    return secrets.token_hex(3)


def _name(token: str) -> str:
    return f"fluxstate-files-{token}"


def why_not_running(pod: dict[str, Any]) -> str:
    """'' when its container runs, else the reason. Raises FluxstateError when it never will."""
    status = pod.get("status") or {}
    states = [item.get("state") or {} for item in status.get("containerStatuses") or []]
    if any("running" in state for state in states):
        return ""
    if status.get("phase") in ("Failed", "Succeeded"):
        raise FluxstateError(f"the helper pod ended: {status.get('message') or status['phase']}")
    for state in states:
        waiting = state.get("waiting") or {}
        if waiting.get("reason"):
            return f"{waiting['reason']} {waiting.get('message') or ''}".strip()
    for condition in status.get("conditions") or []:
        if condition.get("status") == "False" and condition.get("message"):
            return str(condition["message"])
    return str(status.get("phase") or "Pending")


def _source(volume: dict[str, Any], fresh: bool) -> dict[str, Any]:
    if volume.get("hostPath"):
        kind = "DirectoryOrCreate" if fresh else "Directory"
        return {"hostPath": {"path": volume["hostPath"], "type": kind}}
    if volume.get("claimName"):
        return {"persistentVolumeClaim": {"claimName": volume["claimName"]}}
    raise FluxstateError(
        "archives on this kind of volume cannot be reached without the MiniCluster",
        safe="Nothing was done.",
        advice="Use a hostPath or a claimName for the volume of spec.archive.path; an archive that "
        "was fetched is restored there with restore --file MANIFEST --from FILE.",
    )


# A helper pod that nobody agreed to yet.


class HelperPodNeededError(FluxstateError):
    """A question rather than a refusal: only a helper pod could reach the archives.

    `pod` says in one line which pod that would be. Asked again with that consent, it is started.
    """

    exit_code = ExitCode.REFUSED

    def __init__(self, pod: str) -> None:
        super().__init__(
            "nothing that runs has the volume of the archives, so a helper pod has to be started",
            safe="Nothing was created.",
            advice=f"--yes starts {pod}.",
        )
        self.pod = pod
