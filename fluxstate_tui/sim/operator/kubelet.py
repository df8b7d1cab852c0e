"""The kubelet: starts, restarts and stops the containers of the pods on the node."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.kinds import CONFIGMAPS, JOBS, NODES, PODS
from fluxstate_tui.sim.api.runtime import LogFile
from fluxstate_tui.sim.api.store import Change
from fluxstate_tui.sim.files import Files, Volume
from fluxstate_tui.sim.flux.instance import VERSION, FluxInstance
from fluxstate_tui.sim.flux.statedir import StateDir
from fluxstate_tui.sim.layout import Layout, layout_named
from fluxstate_tui.sim.machine import Machine
from fluxstate_tui.sim.operator.cluster_view import MiniClusterView
from fluxstate_tui.sim.operator.container import Container, Entrypoint, run_command
from fluxstate_tui.sim.operator.entrypoint import Lead, LeadParts, Rendezvous, Worker
from fluxstate_tui.sim.operator.manager import Manager
from fluxstate_tui.sim.operator.manifests import COMPLETION_INDEX, config_map_name
from fluxstate_tui.sim.operator.node import NODE_NAME
from fluxstate_tui.sim.operator.pod_worker import PodWorker
from fluxstate_tui.sim.operator.reconciler import FluxOperator
from fluxstate_tui.sim.operator.recorder import Recorder
from fluxstate_tui.sim.operator.timings import Timings
from fluxstate_tui.sim.operator.volumes import Volumes

USERS = {0: "root", 1000: "flux", 65534: "nobody"}
OPERATOR_COMMAND = ["/manager"]
_PLAIN_LAYOUT = Layout("plain", socket="/run/none/local", statedir="/var/empty", flux_dir="")


@dataclass(slots=True)
class PodState:
    """What the node keeps of one pod."""

    worker: PodWorker
    statedir: StateDir = field(default_factory=StateDir)
    containers: dict[str, Container] = field(default_factory=dict)
    logs: dict[str, list[LogFile]] = field(default_factory=dict)
    online: bool = False


class Kubelet:
    """Runs pods; it is also the ContainerRuntime of the API server."""

    def __init__(
        self,
        manager: Manager,
        volumes: Volumes,
        operator: FluxOperator,
        timings: Timings,
        rng: random.Random,
    ) -> None:
        self.manager = manager
        self.store = manager.store
        self.clock = manager.clock
        self.volumes = volumes
        self.timings = timings
        self.events = Recorder(manager.store, "kubelet", NODE_NAME)
        self._operator = operator
        self._rng = rng
        self._pods: dict[str, PodState] = {}
        self._rendezvous: dict[str, Rendezvous] = {}
        # What containers have that start from now on.
        self.python_bindings = True
        self.flux_version = VERSION
        self._next_ip = 10
        manager.watch(self._changed)

    def _changed(self, change: Change) -> None:
        if change.kind != PODS:
            return
        pod = change.object
        uid = pod["metadata"]["uid"]
        known = self._pods.get(uid)
        if change.type == "DELETED":
            if known is not None:
                self.manager.spawn(self._remove(uid, known))
            return
        if known is None and pod["spec"].get("nodeName") == NODE_NAME:
            known = PodState(PodWorker(self, pod))
            self._pods[uid] = known
            self.manager.spawn(known.worker.run())
        if known is not None and "deletionTimestamp" in pod["metadata"]:
            known.worker.terminate(pod)

    async def _remove(self, uid: str, state: PodState) -> None:
        await state.worker.stop()
        self._pods.pop(uid, None)
        self.volumes.forget_pod(uid)

    def next_ip(self) -> str:
        """An address for a pod."""
        self._next_ip += 1
        return f"10.88.{self._next_ip // 250}.{self._next_ip % 250}"

    def new_id(self) -> str:
        """A container id."""
        return f"{self._rng.getrandbits(256):064x}"

    def _find(self, namespace: str, name: str) -> PodState | None:
        pod = self.store.get(PODS, namespace, name)
        return None if pod is None else self._pods.get(pod["metadata"]["uid"])

    def running(self, namespace: str, pod: str, container: str) -> Container | None:
        """ContainerRuntime: the container, if it runs."""
        state = self._find(namespace, pod)
        found = state.containers.get(container) if state is not None else None
        return None if found is None or found.died.is_set() else found

    def log(self, namespace: str, pod: str, container: str, *, previous: bool) -> LogFile | None:
        """ContainerRuntime: the log of the present or previous run."""
        state = self._find(namespace, pod)
        logs = state.logs.get(container, []) if state is not None else []
        if previous:
            return logs[-2] if len(logs) > 1 else None
        return logs[-1] if logs else None

    def instance_of(self, namespace: str, minicluster: str) -> FluxInstance | None:
        """The living Flux instance of a MiniCluster."""
        job = self.store.get(JOBS, namespace, minicluster)
        found = self._rendezvous.get(job["metadata"]["uid"]) if job is not None else None
        instance = found.instance if found is not None else None
        return instance if instance is not None and instance.alive else None

    def kill_container(self, namespace: str, pod: str, container: str) -> None:
        """SIGKILL to a container's PID 1. Raises ValueError if it does not run."""
        state = self._find(namespace, pod)
        if state is None or not state.worker.kill_container(container):
            raise ValueError(f"container {container} of pod {pod} does not run")

    def evict(self, namespace: str, pod: str) -> None:
        """Node pressure: the pod fails with reason Evicted. Raises ValueError if unknown."""
        state = self._find(namespace, pod)
        if state is None:
            raise ValueError(f"no pod {pod} on the node")
        state.worker.evict("The node was low on resource: memory.")

    def lose_node(self) -> None:
        """The node and its pods are gone at once, as when a virtual machine is taken away.

        The pods are removed as the pod garbage collector does it: without any grace.
        """
        self.store.remove(NODES, "", NODE_NAME)
        for pod in self.store.objects(PODS):
            if pod["spec"].get("nodeName") == NODE_NAME:
                metadata = pod["metadata"]
                self.store.remove(PODS, metadata["namespace"], metadata["name"])

    def new_log(self, pod: JsonObject, container: str) -> LogFile:
        """The log of a container's next run."""
        log = LogFile()
        self._pods[pod["metadata"]["uid"]].logs.setdefault(container, []).append(log)
        return log

    def new_container(self, pod: JsonObject, spec: JsonObject) -> Container:
        """A fresh container with its own root file system, ready to live."""
        state = self._pods[pod["metadata"]["uid"]]
        if spec.get("command") == OPERATOR_COMMAND:
            return self._operator_container(state, spec)
        files = self.volumes.files_of(pod, spec, Volume("root", now=self.store.now))
        cluster = self._cluster_of(pod, spec)
        log = self.new_log(pod, spec["name"])
        environment = {
            entry["name"]: str(entry["value"]) for entry in spec.get("env", []) if "value" in entry
        }
        if cluster is None:
            hostname = pod["spec"].get("hostname") or pod["metadata"]["name"]
            context = {**(pod["spec"].get("securityContext") or {})}
            context |= spec.get("securityContext") or {}
            uid = int(context.get("runAsUser") or 0)
            machine = Machine(
                hostname,
                files,
                self.clock,
                env=environment,
                user=USERS.get(uid, str(uid)),
                uid=uid,
                layout=_PLAIN_LAYOUT,
            )
            files.mounts["/"].read_only = bool(context.get("readOnlyRootFilesystem"))
            argv = [*(spec.get("command") or []), *(spec.get("args") or [])]
            entry = run_command(argv or ["/bin/sh", "-c", "sleep infinity"], self.store.now)
            container = Container(machine, log, entry)
        else:
            index = int(pod["metadata"]["labels"][COMPLETION_INDEX])
            rendezvous = self._rendezvous.setdefault(_job_uid(pod), Rendezvous())
            machine = Machine(
                f"{cluster.name}-{index}",
                files,
                self.clock,
                env={**environment, "JOB_COMPLETION_INDEX": str(index)},
                layout=layout_named(cluster.flavour.layout, cluster.mount_path),
                broker=lambda: self._broker_for(state, rendezvous, index),
                rank=index,
                python_bindings=self.python_bindings,
            )
            rendezvous.machines[index] = machine
            entry = self._flux_entrypoint(state, cluster, rendezvous, index)
            container = Container(machine, log, entry)
        state.containers[spec["name"]] = container
        return container

    def _operator_container(self, state: PodState, spec: JsonObject) -> Container:
        """The operator's own container: nothing runs in it but the operator, and it logs."""
        log = self._operator.log
        state.logs[spec["name"]] = [log]
        files = Files({"/": Volume("root", now=self.store.now)})
        machine = Machine("operator", files, self.clock, layout=_PLAIN_LAYOUT)
        container = Container(machine, log, _for_ever)
        state.containers[spec["name"]] = container
        return container

    @staticmethod
    def _broker_for(state: PodState, rendezvous: Rendezvous, index: int) -> FluxInstance | None:
        """What a container's socket leads to: rank 0's from the start, others once they joined."""
        if index == 0 or state.online:
            return rendezvous.instance
        return None

    def _cluster_of(self, pod: JsonObject, spec: JsonObject) -> MiniClusterView | None:
        """The MiniCluster whose entrypoint the container runs, as it was rendered."""
        command = spec.get("command") or []
        if len(command) != 2 or not command[1].startswith("/flux_operator/wait-"):
            return None
        metadata = pod["metadata"]
        name = config_map_name(metadata["labels"].get("job-name", ""))
        config = self.store.get(CONFIGMAPS, metadata["namespace"], name)
        return self._operator.rendered.get(config["metadata"]["uid"]) if config else None

    def _flux_entrypoint(
        self, state: PodState, cluster: MiniClusterView, rendezvous: Rendezvous, index: int
    ) -> Entrypoint:
        owner = 0 if cluster.flavour.has_view else 1000
        seed = self._rng.getrandbits(32)
        parts = LeadParts(
            cluster, self.clock, self.timings, state.statedir, seed, owner, self.flux_version
        )
        if index == 0:
            return Lead(parts, rendezvous)

        def joined(online: bool) -> None:
            state.online = online

        return Worker(index, parts, rendezvous, joined)


async def _for_ever(_: Container) -> int:
    await asyncio.Event().wait()
    return 0


def _job_uid(pod: JsonObject) -> str:
    for reference in pod["metadata"].get("ownerReferences") or []:
        if reference["kind"] == "Job":
            return str(reference["uid"])
    return str(pod["metadata"]["uid"])
