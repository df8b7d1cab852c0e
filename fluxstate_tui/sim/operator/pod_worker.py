"""One pod's life on the node: sandbox, init containers, main containers, restarts, the end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.kinds import CONFIGMAPS, PODS
from fluxstate_tui.sim.operator.container import KILLED, Container
from fluxstate_tui.sim.operator.node import image_exists, pull_error
from fluxstate_tui.sim.operator.pod_status import ContainerRecord, addresses, conditions, phase

if TYPE_CHECKING:
    from fluxstate_tui.sim.operator.kubelet import Kubelet


_MOUNT_RETRY = 5.0
_MAX_BACKOFF = 300.0


class PodWorker:
    """Drives one pod and writes its status."""

    def __init__(self, kubelet: Kubelet, pod: JsonObject) -> None:
        self._kubelet = kubelet
        self._clock = kubelet.clock
        self._timings = kubelet.timings
        self._pod = pod
        self._initial = [ContainerRecord(spec) for spec in pod["spec"].get("initContainers", [])]
        self._main = [ContainerRecord(spec) for spec in pod["spec"]["containers"]]
        self._running: dict[str, Container] = {}
        self._task: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._started = kubelet.store.timestamp()
        self._ip = ""
        self._sandbox = False
        self._overruled = ""  # phase Failed after a kill or an eviction
        self._reason = ""

    async def run(self) -> None:
        """Bring the pod up and keep it up until it has ended."""
        self._task = asyncio.current_task()
        for record in (*self._initial, *self._main):
            waits = "PodInitializing" if self._initial else "ContainerCreating"
            record.waiting(waits)
        await self._clock.sleep(self._timings.sandbox)
        self._report()
        await self._mount()
        await self._clock.sleep(self._timings.init_started)
        self._sandbox, self._ip = True, self._kubelet.next_ip()
        for record in self._initial:
            await self._run_init(record)
        await self._clock.sleep(self._timings.main_started)
        await asyncio.gather(*(self._keep(record) for record in self._main))

    def _report(self) -> None:
        """Write the status, if the pod is still there."""
        restart = self._pod["spec"]["restartPolicy"]
        current = self._overruled or phase(self._initial, self._main, restart)
        now = self._kubelet.store.timestamp()

        def change(draft: JsonObject) -> None:
            status = draft["status"]
            status["phase"] = current
            status["conditions"] = conditions(
                self._initial, self._main, current, self._sandbox, now, status.get("conditions", [])
            )
            status |= addresses(self._ip, self._started)
            if self._reason:
                status["reason"] = self._reason
            if self._initial:
                status["initContainerStatuses"] = [r.report(initial=True) for r in self._initial]
            status["containerStatuses"] = [r.report(initial=False) for r in self._main]

        metadata = self._pod["metadata"]
        self._kubelet.store.modify(PODS, metadata["namespace"], metadata["name"], change)

    def _event(self, reason: str, message: str, field: str = "", *, warning: bool = False) -> None:
        self._kubelet.events.event(self._pod, reason, message, warning=warning, field=field)

    async def _mount(self) -> None:
        """Wait until all volumes can be mounted."""
        while problem := self._mount_problem():
            self._event("FailedMount", problem, warning=True)
            await self._clock.sleep(_MOUNT_RETRY)

    def _mount_problem(self) -> str:
        for volume in self._pod["spec"].get("volumes", []):
            name, host = volume["name"], volume.get("hostPath")
            if host is not None:
                path = host["path"]
                if host.get("type") == "Directory" and not self._kubelet.volumes.has_host_path(
                    path
                ):
                    return (
                        f'MountVolume.SetUp failed for volume "{name}" : hostPath type check '
                        f"failed: {path} is not a directory"
                    )
            config = volume.get("configMap")
            namespace = self._pod["metadata"]["namespace"]
            if config and self._kubelet.store.get(CONFIGMAPS, namespace, config["name"]) is None:
                return (
                    f'MountVolume.SetUp failed for volume "{name}" : configmap '
                    f'"{config["name"]}" not found'
                )
        return ""

    async def _pull(self, record: ContainerRecord, field: str) -> None:
        """Return when the image is on the node; never, if there is no such image."""
        image = record.spec["image"]
        if image_exists(image):
            text = f'Container image "{image}" already present on machine'
            self._event("Pulled", text, field)
            return
        error = pull_error(image)
        wait = self._timings.pull_backoff
        while True:
            self._event("Pulling", f'Pulling image "{image}"', field)
            text = f'Failed to pull image "{image}": {error}'
            self._event("Failed", text, field, warning=True)
            self._event("Failed", "Error: ErrImagePull", field, warning=True)
            record.waiting("ErrImagePull", error)
            self._report()
            await self._clock.sleep(min(2.0, wait))
            self._event("BackOff", f'Back-off pulling image "{image}"', field)
            self._event("Failed", "Error: ImagePullBackOff", field, warning=True)
            text = f'Back-off pulling image "{image}": ErrImagePull: {error}'
            record.waiting("ImagePullBackOff", text)
            self._report()
            await self._clock.sleep(wait)
            wait = min(wait * 2, self._timings.pull_backoff_limit)

    async def _run_init(self, record: ContainerRecord) -> None:
        field = f"spec.initContainers{{{record.name}}}"
        await self._pull(record, field)
        self._start_events(record, field)
        self._report()
        if record.spec.get("command", [])[-1:] == ["/flux_operator/flux-init.sh"]:
            log = self._kubelet.new_log(self._pod, record.name)
            large = "spack" in record.spec["image"]
            timings = self._timings
            await self._clock.sleep(timings.init_runs_spack if large else timings.init_runs)
            log.write(self._kubelet.store.now(), "Copying the view to the shared volume")
            log.close()
            code = 0
        else:
            code = await self._live(record)
        record.ended(self._kubelet.store.timestamp(), code)
        self._report()
        if code != 0:
            await self._back_off(record, field)
            await self._run_init(record)

    def _start_events(self, record: ContainerRecord, field: str) -> None:
        self._event("Created", f"Created container: {record.name}", field)
        self._event("Started", f"Started container {record.name}", field)
        record.started(self._kubelet.store.timestamp(), self._kubelet.new_id())

    async def _live(self, record: ContainerRecord) -> int:
        container = self._kubelet.new_container(self._pod, record.spec)
        self._running[record.name] = container
        try:
            return await container.live()
        finally:
            self._running.pop(record.name, None)

    async def _keep(self, record: ContainerRecord) -> None:
        """Start a main container, and again as the restart policy says."""
        field = f"spec.containers{{{record.name}}}"
        restart = self._pod["spec"]["restartPolicy"]
        await self._pull(record, field)
        while True:
            self._start_events(record, field)
            living = asyncio.ensure_future(self._live(record))
            try:
                self._report()
                code = await asyncio.shield(living)
            except asyncio.CancelledError:
                living.cancel()
                await asyncio.gather(living, return_exceptions=True)
                raise
            record.ended(self._kubelet.store.timestamp(), code)
            if restart == "Never" or (restart == "OnFailure" and code == 0):
                self._report()
                return
            await self._back_off(record, field)

    async def _back_off(self, record: ContainerRecord, field: str) -> None:
        """Between two runs: at once the first time, then longer and longer."""
        self._report()
        record.last_state = record.state
        wait = self._timings.restart_backoff
        if record.restarts:
            wait = min(10.0 * 2 ** (record.restarts - 1), _MAX_BACKOFF)
            metadata = self._pod["metadata"]
            text = (
                f"back-off {int(wait)}s restarting failed container={record.name} "
                f"pod={metadata['name']}_{metadata['namespace']}({metadata['uid']})"
            )
            record.waiting("CrashLoopBackOff", text)
            self._event("BackOff", f"Back-off restarting failed container {record.name}", field)
            self._report()
        await self._clock.sleep(wait)
        record.restarts += 1

    def kill_container(self, name: str) -> bool:
        """SIGKILL to a container's PID 1, as the OOM killer does; False if it does not run."""
        container = self._running.get(name)
        if container is None:
            return False
        container.kill()
        return True

    def evict(self, message: str) -> None:
        """The node takes the pod down: Failed, reason Evicted."""
        self._reason = "Evicted"
        self._event("Evicted", message, warning=True)
        self._kubelet.manager.spawn(self._evict())

    async def _evict(self) -> None:
        await self._kill_all()
        self._overruled = "Failed"
        self._report()

    def terminate(self, pod: JsonObject) -> None:
        """The pod is being deleted: SIGTERM (which PID 1 ignores), the grace period, SIGKILL."""
        if self._ending is None:
            grace = float(pod["metadata"].get("deletionGracePeriodSeconds") or 0)
            self._ending = self._kubelet.manager.spawn(self._terminate(grace))

    async def _terminate(self, grace: float) -> None:
        for record in self._main:
            if record.running:
                field = f"spec.containers{{{record.name}}}"
                self._event("Killing", f"Stopping container {record.name}", field)
        if any(record.running for record in self._main):
            await self._until_ended(grace)
        await self._kill_all()
        await self._clock.sleep(self._timings.after_kill)
        if any(record.exit_code != 0 for record in self._main):
            self._overruled = "Failed"
        self._report()
        await self._clock.sleep(self._timings.until_gone)
        self._gone()

    async def _until_ended(self, grace: float) -> None:
        """Until its containers have ended by themselves, or the grace period is over."""
        over = self._kubelet.manager.spawn(self._clock.sleep(grace))
        await asyncio.wait({over, *filter(None, [self._task])}, return_when=asyncio.FIRST_COMPLETED)
        over.cancel()

    def _gone(self) -> None:
        """The kubelet confirms the deletion: grace period 0."""

        def change(draft: JsonObject) -> None:
            draft["metadata"]["deletionGracePeriodSeconds"] = 0

        metadata = self._pod["metadata"]
        self._kubelet.store.modify(PODS, metadata["namespace"], metadata["name"], change)

    async def _kill_all(self) -> None:
        """Stop everything; what ran has exit code 137."""
        running = [record for record in self._main if record.running]
        await self._cancel(self._task)
        now = self._kubelet.store.timestamp()
        for record in running:
            record.ended(now, KILLED)
        for record in self._main:
            if record.exit_code is None:
                record.ended(now, KILLED, "ContainerStatusUnknown")

    @staticmethod
    async def _cancel(task: asyncio.Task[None] | None) -> None:
        if task is not None and task is not asyncio.current_task():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def stop(self) -> None:
        """The pod object is gone: nothing of it may run any more."""
        await self._cancel(self._task)
        await self._cancel(self._ending)
