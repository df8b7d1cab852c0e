"""A Flux instance: brokers, KVS, job manager. It starts, is saved, dies and comes back."""

from __future__ import annotations

import asyncio
import errno
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fluxstate_tui.clock import Clock
from fluxstate_tui.flux import hostlist
from fluxstate_tui.flux.eventlog import Event, encode_line
from fluxstate_tui.flux.jobspec import parse_duration
from fluxstate_tui.sim.files import Files
from fluxstate_tui.sim.flux.agenda import Agenda
from fluxstate_tui.sim.flux.brokerlog import BrokerLog
from fluxstate_tui.sim.flux.content import Content
from fluxstate_tui.sim.flux.control import Control
from fluxstate_tui.sim.flux.encoding import compact
from fluxstate_tui.sim.flux.errors import FluxError
from fluxstate_tui.sim.flux.joblist import JobList
from fluxstate_tui.sim.flux.jobmanager import JobManager
from fluxstate_tui.sim.flux.kvs import Kvs
from fluxstate_tui.sim.flux.queues import Queues
from fluxstate_tui.sim.flux.resources import Resources
from fluxstate_tui.sim.flux.scheduler import Pool
from fluxstate_tui.sim.flux.services import Services
from fluxstate_tui.sim.flux.shutdown import Shutdown
from fluxstate_tui.sim.flux.startup import Startup
from fluxstate_tui.sim.flux.statedir import StateDir
from fluxstate_tui.sim.flux.tasks import ShellTasks

VERSION = "0.88.0"  # of flux-core, unless said otherwise


@dataclass(slots=True)
class InstanceFaults:
    """What tests switch on. `dump_error`: the dump is cut and fails with that text.

    `answer_delay`: seconds before every RPC is answered.
    """

    dump_error: str = ""
    dump_bytes: int = 0
    answer_delay: float = 0.0


class FluxInstance:
    """One instance, from its brokers' start to their death.

    `restore` is the archive's content and `restore_path` its path ('' = no content.restore;
    a path with restore=None is a file that does not exist). `queues` are named queues.
    `quorum` is the number of ranks that it waits for (default: all hosts).
    """

    def __init__(
        self,
        clock: Clock,
        hosts: Sequence[str],
        *,
        cores_per_node: int = 4,
        owner_uid: int = 0,
        statedir: StateDir | None = None,
        restore: bytes | None = None,
        restore_path: str = "",
        queues: Sequence[str] | None = None,
        quorum: int | None = None,
        version: str = VERSION,
        seed: int = 0,
    ) -> None:
        self.clock = clock
        self.hosts = list(hosts)
        self.owner_uid = owner_uid
        self.statedir = statedir or StateDir()
        self.restore = restore
        self.restore_path = restore_path
        self.quorum = len(self.hosts) if quorum is None else quorum
        self.version = version
        self.faults = InstanceFaults()
        self.state = "none"
        self.exit_code: int | None = None
        self.failed = ""
        self.started_at = clock.now()
        self.online: set[int] = set()
        self.rng = random.Random(seed)
        self.agenda = Agenda(clock)
        self.log = BrokerLog(self.agenda.now)
        self.attributes: dict[str, str] = {}
        self.tasks = ShellTasks(self)
        self.pool = Pool(self.hosts, cores_per_node)
        self.queues = Queues(queues or ())
        self.jobs = JobManager(self.agenda, self.pool, self.queues, self.tasks, self.rng, owner_uid)
        self.control = Control(self.jobs)
        self.job_list = JobList(self.jobs)
        self.kvs = Kvs(self.jobs)
        self.resources = Resources(self)
        self.services = Services(self)
        self._state_changed = asyncio.Event()
        self._end_listeners: list[Callable[[], None]] = []
        self._ending: asyncio.Task[None] | None = None
        self.config: dict[str, Any] = {}
        self._periods = 0

    @property
    def size(self) -> int:
        """Brokers that the instance is configured for."""
        return len(self.hosts)

    @property
    def alive(self) -> bool:
        """Whether there is a broker to talk to."""
        return self.state not in ("none", "exit", "dead")

    @property
    def services_up(self) -> bool:
        """Whether rc1 has loaded the modules (kvs, job-manager ...)."""
        return self.state in ("quorum", "run", "cleanup")

    def set_state(self, state: str) -> None:
        """Enter a broker state (none join init quorum run cleanup shutdown exit; dead = killed)."""
        self.state = state
        self._state_changed.set()
        self._state_changed = asyncio.Event()

    async def wait_state(self, *states: str) -> str:
        """Wait until it is in one of these states; which one."""
        while self.state not in states:
            await self._state_changed.wait()
        return self.state

    async def start(self) -> bool:
        """Bring the lead broker up to quorum. False when rc1 failed and the broker exited."""
        return await Startup(self).run()

    def rank_online(self, rank: int) -> None:
        """A broker joined."""
        self.online.add(rank)
        self.pool.nodes[rank].up = True
        self.resources.joined(rank)
        self.check_quorum()
        self.jobs.plan_pass()

    def check_quorum(self) -> None:
        """Go on to `run` when enough brokers are there."""
        if self.state == "quorum" and len(self.online) >= self.quorum:
            hosts = hostlist.compress(self.hosts[rank] for rank in sorted(self.online))
            self.log.add(f"online: {hosts} (ranks {self.resources.online_ids()})")
            self.log.add("quorum-full: quorum->run 0.66s")
            self.set_state("run")

    def rank_lost(self, rank: int) -> None:
        """A broker died: its node is down and its jobs fail."""
        self.online.discard(rank)
        self.pool.nodes[rank].up = False
        host = self.hosts[rank]
        self.log.add(f"dead to Flux: {host} (rank {rank})", level="err")
        self.resources.left(rank)
        for job in self.resources.jobs_on(rank):
            note = f"lost contact with job shell on broker: {host} (rank {rank})"
            self.jobs.raise_exception(job, "node-failure", 0, note)

    def checkpoint(self) -> None:
        """Write a KVS checkpoint: what a killed broker comes back with."""
        self.statedir.save(self.content(), self.clock.now(), self.sequence)

    def load_config(self, config: dict[str, Any]) -> None:
        """Take another configuration while it runs. Raises ValueError for a bad period."""
        kvs = config.get("kvs")
        period = kvs.get("checkpoint-period") if isinstance(kvs, dict) else None
        seconds = parse_duration(str(period)) if period else 0.0
        self.config = config
        self._periods += 1
        if seconds > 0:
            self._checkpoint_every(seconds, self._periods)

    def _checkpoint_every(self, seconds: float, period: int) -> None:
        """Until there is another period. Where nothing changed there is nothing to write."""

        def due() -> None:
            if self.alive and period == self._periods:
                if self.statedir.sequence != self.sequence:
                    self.checkpoint()
                self._checkpoint_every(seconds, period)

        self.agenda.after(seconds, due)

    @property
    def sequence(self) -> int:
        """The KVS root's sequence number: it grows with every change."""
        return self.kvs.version + self.jobs.events_posted

    def content(self) -> Content:
        """The whole KVS as it is now."""
        return Content(dict(self.kvs.keys), {i: job.content() for i, job in self.jobs.jobs.items()})

    def on_end(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call it when the broker is gone. Returns how to stop that."""
        self._end_listeners.append(listener)
        return lambda: (
            self._end_listeners.remove(listener) if listener in self._end_listeners else None
        )

    def kill(self) -> None:
        """SIGKILL: nothing is written any more; StateDir keeps the last checkpoint."""
        if self.state in ("exit", "dead"):
            return
        self._end("dead")

    def exit(self, code: int) -> None:
        """The broker ends by itself."""
        self.exit_code = code
        self._end("exit")

    async def shutdown(self, files: Files | None = None, dump_path: str = "") -> None:
        """A clean end: cancel what runs, remember the queues, dump if asked, exit."""
        await Shutdown(self).run(files, dump_path)

    def begin_shutdown(self, files: Files | None = None, dump_path: str = "") -> None:
        """The same without waiting for it (`flux shutdown --background`)."""
        self._ending = asyncio.get_running_loop().create_task(self.shutdown(files, dump_path))

    def _end(self, state: str) -> None:
        self.set_state(state)
        self.agenda.stop()
        self.jobs.executor.stop()
        for listener in tuple(self._end_listeners):
            listener()
        self._end_listeners.clear()

    async def close(self) -> None:
        """Free everything. Also after `kill`; a second time does no harm."""
        self.kill()
        if self._ending is not None:
            self._ending.cancel()
            await asyncio.wait([self._ending])
        await self.agenda.close()
        await self.jobs.executor.close()

    def append_event(self, key: str, name: str, context: dict[str, Any]) -> None:
        """Add to one of the instance's own eventlogs in the KVS."""
        entry = encode_line(Event(self.agenda.now(), name, context))
        self.kvs.keys[key] = self.kvs.keys.get(key, b"") + entry

    def save_resources(self) -> None:
        """Write resource.R."""
        self.kvs.keys["resource.R"] = compact(self.pool.r_all())

    def require(self, topic: str) -> None:
        """ENOSYS when no module serves this topic yet."""
        service = topic.partition(".")[0]
        if service in ("attr", "state-machine", "overlay", "log", "groups"):
            return
        if not self.services_up:
            raise FluxError(errno.ENOSYS, f"No service matching {topic} is registered")
