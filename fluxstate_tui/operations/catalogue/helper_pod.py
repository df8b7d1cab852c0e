"""A short-lived pod on the volume of the archives, for when no MiniCluster runs.

It uses the image of the MiniCluster's own container, which the nodes have already; it runs
`sleep`, ends by itself after a deadline, and has a label (a pod without any label in the namespace
makes the operator's label patch fail for ever: facts/kubernetes-live.md).
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.kube.errors import Conflict, Gone, NotFound
from fluxstate_tui.kube.resources import PODS
from fluxstate_tui.operations.catalogue.place import archive_volume, container_of
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.journal.by_hand import ByHand
from fluxstate_tui.operations.world.patience import BROKEN, patiently
from fluxstate_tui.operations.world.patient_files import PatientFiles

DEADLINE_SECONDS = 1800
START_SECONDS = 120.0
TAKE_BACK_SECONDS = 10.0
_CONTAINER = "files"


class HelperPod:
    """A running helper pod; `files` works on its volume. Remove it when done."""

    def __init__(self, context: OperationContext, namespace: str, name: str, uid: str) -> None:
        self._context = context
        self._namespace = namespace
        self._uid = uid
        self.name = name
        self.body: dict[str, Any] = {}
        self.files = PatientFiles(context.cluster, context.clock, namespace, name, _CONTAINER)

    @classmethod
    async def start(
        cls, context: OperationContext, manifest: dict[str, Any], *, fresh: bool = False
    ) -> HelperPod:
        """Create it and wait until its container runs. Raises FluxstateError with the reason.

        With `fresh` nothing need have been on the volume before: a directory of a node is made.
        """
        return await cls._start(context, pod_for(manifest, secrets.token_hex(3), fresh=fresh))

    @classmethod
    async def _start(cls, context: OperationContext, body: dict[str, Any]) -> HelperPod:
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
        helper.body = body
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
            metadata = {**self.body["metadata"], "name": _name(secrets.token_hex(3))}
            return await self._start(self._context, {**self.body, "metadata": metadata})
        return self

    def lines(self) -> tuple[str, str]:
        """The lines for a shell that make it and wait until it runs."""
        hand = ByHand.of(self._context)
        place = ("-n", self._namespace, f"pod/{self.name}")
        return hand.create(self.body), hand.kubectl("wait", "--for=condition=Ready", *place)

    def line(self, *argv: str) -> str:
        """The line for a shell that works on its files."""
        return ByHand.of(self._context).inside(self.files.place, *argv)

    async def remove(self) -> None:
        """Delete it at once. A pod that is gone already is fine."""
        await patiently(self._context.clock, self._remove, trouble=(*BROKEN, Conflict, Gone))

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
            pod = await patiently(clock, lambda: self._context.cluster.request("GET", path))
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

    return await patiently(context.clock, once)


def pod_for(manifest: dict[str, Any], token: str, *, fresh: bool = False) -> dict[str, Any]:
    """The pod for that MiniCluster's archive volume. Raises FluxstateError without one."""
    spec = manifest["spec"]
    container, volume = container_of(spec), archive_volume(spec)
    if container is None or volume is None:
        raise FluxstateError(
            "the manifest does not say on which volume its archives lie",
            safe="Nothing was done.",
            advice="Give a manifest whose spec.archive.path lies on a volume of its container.",
        )
    pod_spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": DEADLINE_SECONDS,
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "containers": [
            {
                "name": _CONTAINER,
                "image": container["image"],
                "command": ["sleep", str(DEADLINE_SECONDS)],
                "volumeMounts": [{"name": "archives", "mountPath": volume["path"]}],
            }
        ],
        "volumes": [{"name": "archives", **_source(volume, fresh)}],
    }
    _follow(pod_spec, spec, container)
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


def _follow(pod_spec: dict[str, Any], spec: dict[str, Any], container: dict[str, Any]) -> None:
    """Let the pod go where the MiniCluster's pods went, with the same rights to images."""
    pod_settings = spec.get("pod") or {}
    for field in ("nodeSelector", "tolerations", "schedulerName", "runtimeClassName"):
        if pod_settings.get(field):
            pod_spec[field] = pod_settings[field]
    if container.get("imagePullSecret"):
        pod_spec["imagePullSecrets"] = [{"name": container["imagePullSecret"]}]
    if container.get("securityContext"):
        pod_spec["containers"][0]["securityContext"] = container["securityContext"]


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
