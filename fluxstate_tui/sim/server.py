"""The simulated cluster as one object: API server, controllers and node, on loopback.

async with SimulatedCluster(speed=10) as cluster:
    cluster.write_kubeconfig(path)
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml
from aiohttp import web

from fluxstate_tui.clock import Clock, SystemClock
from fluxstate_tui.sim.api.app import TOKEN_PATH, build_app
from fluxstate_tui.sim.api.auth import User, Users
from fluxstate_tui.sim.api.context import ApiContext
from fluxstate_tui.sim.api.kinds import BUILT_IN, CRDS, PODS, Registry
from fluxstate_tui.sim.api.listener import HOST, Listener
from fluxstate_tui.sim.api.store import ObjectStore
from fluxstate_tui.sim.faults import Faults
from fluxstate_tui.sim.files import Files
from fluxstate_tui.sim.flux.instance import FluxInstance
from fluxstate_tui.sim.operator import defaults
from fluxstate_tui.sim.operator.binder import VolumeBinder
from fluxstate_tui.sim.operator.flavour import FLAVOURS, Flavour
from fluxstate_tui.sim.operator.garbage import GarbageCollector
from fluxstate_tui.sim.operator.job_controller import JobController
from fluxstate_tui.sim.operator.kubelet import Kubelet
from fluxstate_tui.sim.operator.manager import Manager
from fluxstate_tui.sim.operator.manifests import COMPLETION_INDEX
from fluxstate_tui.sim.operator.node import add_node
from fluxstate_tui.sim.operator.reconciler import FluxOperator
from fluxstate_tui.sim.operator.scheduler import Scheduler
from fluxstate_tui.sim.operator.timings import Timings
from fluxstate_tui.sim.operator.volumes import Volumes
from fluxstate_tui.sim.warm_clock import WarmClock
from fluxstate_tui.sim.worlds.manifests import crd_of
from fluxstate_tui.sim.worlds.registry import WARM_UP, build_world

CONTEXT = "fluxstate-sim"
_MOST_KUBECONFIG = 1 << 16
_UNREADABLE = (OSError, ValueError, TypeError, KeyError, yaml.YAMLError, RecursionError)
# A real API server's RBAC answers 403 for that long after its start (kubernetes-live).
CACHES_FILL_SECONDS = 1.7


@dataclass(frozen=True, slots=True)
class ClusterState:
    """The parts of the cluster, for tests and worlds."""

    store: ObjectStore
    volumes: Volumes
    kubelet: Kubelet
    manager: Manager
    flavour: Flavour
    clock: Clock
    rng: random.Random

    def instance(self, namespace: str, minicluster: str) -> FluxInstance | None:
        """The living Flux instance of a MiniCluster, or None."""
        return self.kubelet.instance_of(namespace, minicluster)

    def lead_pod(self, namespace: str, minicluster: str) -> str:
        """The name of the pod with completion index 0. Raises LookupError."""
        for pod in self.store.objects(PODS, namespace):
            labels = pod["metadata"].get("labels") or {}
            ours = labels.get("job-name") == minicluster and labels.get(COMPLETION_INDEX) == "0"
            ended = pod["status"].get("phase") in {"Succeeded", "Failed"}
            if ours and not ended and "deletionTimestamp" not in pod["metadata"]:
                return str(pod["metadata"]["name"])
        raise LookupError(f"MiniCluster {namespace}/{minicluster} has no lead pod")


class SimulatedCluster:
    """A cluster to talk to over HTTP. `speed` scales time; `seed` fixes names and ids.

    `world` names what is there from the start (sim.worlds); `flavour` an operator version
    (sim.operator.flavour). `clock` replaces the scaled clock (VirtualClock in tests).
    """

    def __init__(
        self,
        *,
        speed: float = 1.0,
        seed: int = 0,
        world: str = "empty",
        flavour: str = "2026-06",
        clock: Clock | None = None,
        port: int = 0,
        timings: Timings | None = None,
        bookmark_seconds: float = 55.0,
    ) -> None:
        self._port = port
        self._world = world
        self.token = secrets.token_urlsafe(32)
        self._past = WARM_UP.get(world, 0.0)
        # A world with a past begins that long ago, and lives through it at once.
        self._warm = WarmClock(speed, time.time() - self._past) if clock is None else None
        self.clock: Clock = clock or self._warm or SystemClock()
        self.faults = Faults()
        self.users = Users(self.token)
        self._runner: web.AppRunner | None = None
        self._listener: Listener | None = None
        self.state = self._build(FLAVOURS[flavour], random.Random(seed), timings or Timings())
        registry = Registry((*BUILT_IN, self.state.flavour.kind))
        self._context = ApiContext(
            registry=registry,
            store=self.state.store,
            users=self.users,
            runtime=self.state.kubelet,
            faults=self.faults,
            schemas={self.state.flavour.kind: self.state.flavour.schema()},
            bookmark_seconds=bookmark_seconds,
            failures=self.state.manager.failures,
        )
        self._install_cluster_faults()

    def _build(self, flavour: Flavour, rng: random.Random, timings: Timings) -> ClusterState:
        store = ObjectStore(self.clock.now, rng)
        defaults.install(store)
        manager = Manager(store, self.clock)
        volumes = Volumes(store, self.clock.now)
        operator = FluxOperator(manager, flavour, timings)
        JobController(manager, timings)
        Scheduler(manager, timings)
        VolumeBinder(manager, timings)
        GarbageCollector(manager)
        kubelet = Kubelet(manager, volumes, operator, timings, rng)
        return ClusterState(store, volumes, kubelet, manager, flavour, self.clock, rng)

    async def __aenter__(self) -> Self:
        add_node(self.state.store)
        self.state.store.create(CRDS, crd_of(self.state.flavour))
        self.state.manager.start()
        self._runner = web.AppRunner(
            build_app(self._context),
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=0.2,
        )
        await self._runner.setup()
        self._listener = Listener(self._runner, self._port)
        try:
            await build_world(self.state, self._world)
            if self._warm is not None:
                await self._warm.advance(self._past)
                self._warm.go_live()
            await self._listener.open()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop everything and wait for it. Raises what a controller failed with."""
        if self._listener is not None:
            await self._listener.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        await self.state.manager.stop()

    @property
    def port(self) -> int:
        """The TCP port on loopback."""
        return self._listener.port if self._listener is not None else self._port

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://{HOST}:{self.port}"

    def add_user(self, user: User) -> str:
        """Let another user in; the bearer token."""
        token = secrets.token_urlsafe(32)
        self.users.add(token, user)
        return token

    def kubeconfig(self, token: str | None = None, namespace: str = "default") -> dict[str, Any]:
        """A kubeconfig for a token (None: the admin's); it also stands in the server's path."""
        token = token or self.token
        server = f"{self.url}{TOKEN_PATH}{token}"
        context = {"cluster": CONTEXT, "user": CONTEXT, "namespace": namespace}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": CONTEXT,
            "clusters": [{"name": CONTEXT, "cluster": {"server": server}}],
            "users": [{"name": CONTEXT, "user": {"token": token}}],
            "contexts": [{"name": CONTEXT, "context": context}],
        }

    def write_kubeconfig(self, path: Path | str, token: str | None = None) -> Path:
        """Write a kubeconfig that only its owner can read; its token runs programs.

        It appears whole: whoever waits for the file may read it at once. Raises FileExistsError,
        without having touched it, when a file is there that no simulated cluster wrote.
        """
        target = Path(path)
        there = target.is_symlink() or target.exists()
        if there and not _is_of_a_simulation(target):
            raise FileExistsError(errno.EEXIST, "a file that is not a simulation's is there")
        partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            partial.touch(mode=0o600)
            partial.write_text(yaml.safe_dump(self.kubeconfig(token), sort_keys=False))
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        return target

    def remove_kubeconfig(self, path: Path | str) -> None:
        """Remove it, unless somebody else's is there by now."""
        with contextlib.suppress(*_UNREADABLE):
            if yaml.safe_load(Path(path).read_text()) == self.kubeconfig():
                Path(path).unlink()

    def put_file(self, host_path: str, path: str, data: bytes) -> None:
        """Write a file into a directory of the node, e.g. ("/data", "archive.tar.gz", bytes)."""
        files = Files({"/": self.state.volumes.host_path(host_path)})
        target = "/" + path.strip("/")
        files.makedirs(target.rpartition("/")[0] or "/")
        files.write(target, data)

    def _install_cluster_faults(self) -> None:
        actions: dict[str, Callable[..., Any]] = {
            "restart-api": lambda o: self.restart_api(float(o.get("seconds", 1.0))),
            "evict-pod": lambda o: self.evict_pod(o["namespace"], o["pod"]),
            "kill-lead": lambda o: self.kill_lead(o["namespace"], o["minicluster"]),
            "lose-node": lambda o: self.lose_node(float(o.get("seconds", 10.0))),
            "fail-dump": lambda o: self.fail_dump(
                o["namespace"], o["minicluster"], o.get("message", "")
            ),
            "fill-disk": lambda o: self.fill_disk(o["path"], int(o.get("free", 0))),
            "slow-flux": lambda o: self.slow_flux(
                o["namespace"], o["minicluster"], float(o.get("seconds", 0))
            ),
            "compact": lambda _: self.compact(),
        }
        for kind, action in actions.items():
            self.faults.on(kind, action)

    async def restart_api(self, seconds: float) -> None:
        """Refuse connections for real `seconds`, then 403 for users under RBAC for a while.

        Watches that are open now hang without a word until their clients give up.
        """
        assert self._listener is not None
        self._context.restarts += 1
        self._context.down = True
        await self._listener.close()
        self.state.manager.spawn(self._come_back(seconds))

    async def _come_back(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        loop = asyncio.get_running_loop()
        self._context.warming_until = loop.time() + CACHES_FILL_SECONDS
        await self.compact()
        self._context.down = False
        assert self._listener is not None
        await self._listener.open()

    async def evict_pod(self, namespace: str, pod: str) -> None:
        """The node runs out of memory and takes a pod down."""
        self.state.kubelet.evict(namespace, pod)

    async def kill_lead(self, namespace: str, minicluster: str) -> None:
        """SIGKILL to PID 1 of the lead's Flux container."""
        pod = self.state.lead_pod(namespace, minicluster)
        self.state.kubelet.kill_container(namespace, pod, minicluster)

    async def lose_node(self, seconds: float) -> None:
        """The node is gone with all its pods; another one comes after `seconds` of the clock.

        Its directories (hostPath) are on a shared file system; emptyDirs are gone.
        """
        self.state.kubelet.lose_node()
        self.state.manager.spawn(self._another_node(seconds))

    async def _another_node(self, seconds: float) -> None:
        await self.clock.sleep(seconds)
        add_node(self.state.store)

    async def fail_dump(self, namespace: str, minicluster: str, message: str) -> None:
        """Let `flux dump` fail with that text, its file cut; "" ends it."""
        self._instance(namespace, minicluster).faults.dump_error = message

    async def fill_disk(self, path: str, free: int) -> None:
        """Leave that many bytes free on a directory of the node."""
        volume = self.state.volumes.host_path(path)
        volume.capacity = volume.used + free

    async def slow_flux(self, namespace: str, minicluster: str, seconds: float) -> None:
        """Let every RPC of a broker take longer."""
        self._instance(namespace, minicluster).faults.answer_delay = seconds

    async def compact(self) -> None:
        """Forget watch history and continue tokens: the next ones get 410."""
        self.state.store.compact()
        self._context.pages.forget()

    def _instance(self, namespace: str, minicluster: str) -> FluxInstance:
        instance = self.state.instance(namespace, minicluster)
        if instance is None:
            raise ValueError(f"no broker runs in {namespace}/{minicluster}")
        return instance


def _is_of_a_simulation(path: Path) -> bool:
    """A regular file that has one cluster, ours, and no other user's credentials."""
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _MOST_KUBECONFIG:
            return False
        found = yaml.safe_load(path.read_text())
        (cluster,), (user,) = found["clusters"], found["users"]
        return (
            (cluster["name"], user["name"]) == (CONTEXT, CONTEXT)
            and TOKEN_PATH in cluster["cluster"]["server"]
            and set(user["user"]) == {"token"}
        )
    except _UNREADABLE:
        return False
