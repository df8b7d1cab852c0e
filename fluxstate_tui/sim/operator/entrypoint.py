"""What the MiniCluster's entrypoint does: the lead runs a broker, the workers follow it.

Facts: pkg/flux/templates/wait.sh of the operator (its effects, not its text).
"""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field

from fluxstate_tui.clock import Clock
from fluxstate_tui.sim.flux.instance import FluxInstance
from fluxstate_tui.sim.flux.statedir import StateDir
from fluxstate_tui.sim.flux.tasks import ShellTasks
from fluxstate_tui.sim.machine import CommandNotFound, Machine
from fluxstate_tui.sim.operator.cluster_view import MiniClusterView
from fluxstate_tui.sim.operator.container import Container, LogWriter
from fluxstate_tui.sim.operator.node import CORES
from fluxstate_tui.sim.operator.timings import Timings


@dataclass(slots=True, eq=False)
class Rendezvous:
    """Where the brokers of one Job find each other."""

    instance: FluxInstance | None = None
    clean_end: bool = False
    # The containers by rank: jobs run in them.
    machines: dict[int, Machine] = field(default_factory=dict)

    def put(self, instance: FluxInstance) -> None:
        """A new lead broker."""
        self.instance = instance
        self.clean_end = False


@dataclass(frozen=True, slots=True)
class LeadParts:
    """What a lead's start needs beside its container."""

    cluster: MiniClusterView
    clock: Clock
    timings: Timings
    statedir: StateDir
    seed: int
    owner_uid: int
    flux_version: str


def _queues(cluster: MiniClusterView) -> list[str] | None:
    """Named queues of spec.flux.brokerConfig."""
    text = (cluster.spec.get("flux") or {}).get("brokerConfig") or ""
    try:
        queues = tomllib.loads(text).get("queues", {})
    except tomllib.TOMLDecodeError:
        return None
    return list(queues) or None


def _quorum(cluster: MiniClusterView) -> int:
    """minSize, or size when maxSize is larger, or everybody."""
    minimum = cluster.spec.get("minSize")
    return int(minimum) if minimum else cluster.size


def _command(cluster: MiniClusterView) -> str:
    """The job of a non-interactive MiniCluster, or empty: the broker then just stays."""
    if cluster.spec.get("interactive"):
        return ""
    return str(cluster.flux_container.get("command") or "")


class Lead:
    """Index 0: the lead broker's life."""

    def __init__(self, parts: LeadParts, rendezvous: Rendezvous) -> None:
        self._parts = parts
        self._rendezvous = rendezvous

    async def __call__(self, container: Container) -> int:
        """Start the broker, with the archive if one lies there; 0 whatever became of it."""
        parts, cluster = self._parts, self._parts.cluster
        await parts.clock.sleep(parts.timings.entrypoint)
        instance = self._new_instance(container)
        if isinstance(instance.tasks, ShellTasks):
            instance.tasks.machine_of = self._rendezvous.machines.get
        self._rendezvous.put(instance)
        stop = instance.log.subscribe(lambda line: self._log(container, line))
        clean = False
        try:
            if await instance.start():
                clean = await self._stay(container, instance)
            code = instance.exit_code or 0
        except asyncio.CancelledError:
            instance.kill()
            raise
        finally:
            stop()
            self._rendezvous.clean_end = clean
            await instance.close()
        strict = (cluster.spec.get("logging") or {}).get("strict")
        return code if strict else 0

    def _log(self, container: Container, line: str) -> None:
        container.log.write(self._parts.clock.now(), line)

    def _new_instance(self, container: Container) -> FluxInstance:
        parts, cluster = self._parts, self._parts.cluster
        path = cluster.archive_path
        armed = bool(path) and container.machine.files.exists(path)
        quiet = (cluster.spec.get("logging") or {}).get("quiet")
        if armed and not quiet:
            self._log(container, f"🧊️ Found existing archive at {path}")
        if not quiet:
            self._log(container, self._broker_line(path if armed else ""))
        return FluxInstance(
            parts.clock,
            [f"{cluster.name}-{index}" for index in range(cluster.max_size)],
            cores_per_node=CORES,
            owner_uid=parts.owner_uid,
            statedir=parts.statedir,
            restore=container.machine.files.read(path) if armed else None,
            restore_path=path if armed else "",
            queues=_queues(cluster),
            quorum=_quorum(cluster),
            version=parts.flux_version,
            seed=parts.seed,
        )

    def _broker_line(self, archive: str) -> str:
        cluster = self._parts.cluster
        interactive = " -Sbroker.rc2_none" if not _command(cluster) else ""
        restore = f" -Scontent.restore={archive}" if archive else ""
        layout = cluster.flavour.layout
        base = {"v1alpha2": f"{cluster.mount_path}/config",
                "v1alpha2-old": f"{cluster.mount_path}/view"}.get(layout, "")  # fmt: skip
        return (
            f"🌀 flux broker --config-path {base}/etc/flux/config -Stbon.fanout=256 "
            f"-Srundir={base}/run/flux{interactive} -Sstatedir={base}/var/lib/flux "
            f"-Slocal-uri=local://{base}/run/flux/local -Stbon.connect_timeout=5s "
            f"-Slog-stderr-level=6 -Slog-stderr-mode=local{restore}"
        )

    async def _stay(self, container: Container, instance: FluxInstance) -> bool:
        """Run the job, or stay until the broker ends; whether it ended well."""
        command = _command(self._parts.cluster)
        if command:
            state = await instance.wait_state("run", "exit", "dead")
            if state == "run":
                await self._run_job(container, command)
                instance.exit(0)
        await instance.wait_state("exit", "dead")
        return instance.state == "exit" and not instance.exit_code

    async def _run_job(self, container: Container, command: str) -> None:
        cluster = self._parts.cluster
        tasks = int(cluster.spec.get("tasks") or 1)
        nodes = f" -N {cluster.size}" if tasks >= cluster.size > 1 else ""
        script = f"flux submit -n {tasks}{nodes} {command}; flux queue idle --quiet"
        writer = LogWriter(container.log, self._parts.clock.now)
        argv = ["/bin/bash", "-c", _connect(cluster) + script]
        try:
            await container.machine.run(argv, writer)
        except CommandNotFound as missing:
            self._log(container, str(missing))
        writer.flush()


def _connect(cluster: MiniClusterView) -> str:
    if cluster.flavour.has_view:
        return f". {cluster.mount_path}/flux-view.sh; export FLUX_URI=$fluxsocket; "
    return "export FLUX_URI=local:///run/flux/local; "


class Worker:
    """Any other index: follows the lead, and tries again for ever."""

    def __init__(
        self, index: int, parts: LeadParts, rendezvous: Rendezvous, joined: Callable[[bool], None]
    ) -> None:
        self._index = index
        self._parts = parts
        self._rendezvous = rendezvous
        self._joined = joined

    def _log(self, container: Container, text: str) -> None:
        container.log.write(self._parts.clock.now(), text)

    async def __call__(self, container: Container) -> int:
        """Join; when the lead goes, sleep 15 s and try again; end when it ended well."""
        clock, timings = self._parts.clock, self._parts.timings
        await clock.sleep(timings.entrypoint)
        while True:
            self._broker(container, "builtins-success: load-builtins->join 11.7852ms")
            instance = await self._find_lead(container)
            if instance is not None:
                await self._follow(container, instance)
                await instance.wait_state("exit", "dead")
            well = instance is not None and instance.state == "exit" and not instance.exit_code
            if well or self._rendezvous.clean_end:
                self._log(container, "The follower worker exited cleanly. Goodbye!")
                return 0
            self._log(container, "Return value for follower worker is 1")
            self._log(container, "😪 Sleeping 15s to try again...")
            await clock.sleep(timings.worker_retry)

    def _broker(self, container: Container, text: str) -> None:
        self._log(container, f"<6>broker.info[{self._index}]: {text}")

    async def _find_lead(self, container: Container) -> FluxInstance | None:
        """Wait for a lead that can be joined; None when there is none for a while."""
        timings = self._parts.timings
        for _ in range(int(timings.worker_retry / timings.worker_connects)):
            instance = self._rendezvous.instance
            if instance is not None and instance.alive and self._index < instance.size:
                await self._parts.clock.sleep(timings.worker_connects)
                return instance
            await self._parts.clock.sleep(timings.worker_connects)
        cluster = self._parts.cluster
        lead = f"{cluster.name}-0.{cluster.service_name}.{cluster.namespace}.svc.cluster.local"
        text = f"unable to resolve upstream peer {lead}: Name or service not known"
        self._log(container, f"<4>overlay.warning[{self._index}]: {text}")
        return None

    async def _follow(self, container: Container, instance: FluxInstance) -> None:
        """Be online from the lead's quorum state on, until it goes."""
        state = await instance.wait_state("quorum", "run", "cleanup", "shutdown", "exit", "dead")
        if state in ("quorum", "run", "cleanup"):
            instance.rank_online(self._index)
            self._joined(True)
            self._broker(container, "parent-ready: join->config-sync 0.8s")
            self._broker(container, "rc1-success: init->quorum 0.2s")
            self._broker(container, "quorum-full: quorum->run 0.1s")
            try:
                await instance.wait_state("shutdown", "exit", "dead")
            except asyncio.CancelledError:
                if instance.alive:
                    instance.rank_lost(self._index)
                raise
            finally:
                self._joined(False)
        self._broker(container, "rc3-fail: finalize->goodbye 0.330985s")
        self._broker(container, "goodbye: goodbye->unload-builtins 0.561238ms")
        self._broker(container, "builtins-done: unload-builtins->exit 1.43639ms")
