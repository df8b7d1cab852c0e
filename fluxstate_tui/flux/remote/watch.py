"""What is told without being asked for: jobs, queues, resources, ranks, the broker's state.

How the job list and the journal are joined without gap or double (flux-core 0.88):

1. Subscribe to `job-manager.events-journal`. At that very moment it sends the whole eventlog of
   every active job, then a response without events, and from then on each event.
2. job-list learns of events by the same journal and lags behind when the broker is busy, so its
   answer alone would leave gaps (tried: 7 of 25). So the eventlogs of jobs in which something
   happened lately are passed on: the other side builds these jobs from them, not from the list.
   Of the older ones only the ids go out (`active`), for the list has them right.
3. Ask job-list for all jobs. Those that it calls active and the journal did not have ended
   just before the subscription: the other side asks again for the list (`relist`).

It is the raw RPC, not `flux.job.JournalConsumer`: that one swallows a refusal (EPERM).
`time.time()` is the cluster's clock: this container has the broker of rank 0.
"""

import errno
import time
from typing import Any, Callable, Dict, List

from fluxstate_tui.flux.remote.queues import queue_status

TICK = 1.0  # seconds between two looks at what the journal does not tell
LAG = 60.0  # seconds; job-list is never that far behind the journal
SLOW_TICKS = 3  # every so many of them everything is looked at, even if nothing changed
RPC_STREAMING = 2
JOURNAL_SINCE = (0, 68)  # before, the journal's answers had another shape
LOADING = ("load-builtins", "join", "config-sync", "init")  # broker states without job services
GONE = (errno.ECONNRESET, errno.ECONNREFUSED, errno.EPIPE, errno.ENOTCONN, errno.EHOSTUNREACH)


class Watch:
    """Looks once a second at little, and at everything when something changed or seldom."""

    def __init__(self, program: Any) -> None:
        self.program = program
        self.out = program.out
        self.mode = ""  # then "journal" or "poll"
        self.subscribed = False
        self.active: List[int] = []  # ids of the jobs that were active at the subscription
        self.history = False  # whether the journal told them all
        self.ticks = 0
        self.unanswered = 0
        self.changed = True
        self.told: Dict[str, Any] = {}
        self.listed = 0.0
        self.timer = program.handle.timer_watcher_create(TICK, self.tick, TICK)
        self.timer.start()

    def tick(self, *_args: Any) -> None:
        """Never ask a broker that has not answered the last questions yet."""
        self.ticks += 1
        if self.unanswered == 0:
            self.look()

    def look(self) -> None:
        """Ask for all that may have changed."""
        self.ask("state-machine.get", None, self.take_state)
        if not self.mode:
            return
        self.ask("job-manager.queue-list", {}, self.take_queue_names)
        if self.changed or self.ticks % SLOW_TICKS == 0:
            self.changed = False
            self.ask("job-list.job-stats", {}, lambda answer: self.tell("stats", answer))
            self.ask("resource.status", {}, lambda answer: self.tell("resources", answer))
            self.ask("overlay.health", None, self.take_overlay)
            if self.mode == "poll":
                self.list_jobs(part=True)

    def ask(self, topic: str, payload: Any, then: Callable[[Any], None]) -> None:
        """One question; what cannot be answered is told once, a lost broker ends the program."""
        self.unanswered += 1

        def answered(answer: Any) -> None:
            self.unanswered -= 1
            then(answer)

        def failed(error: OSError) -> None:
            self.unanswered -= 1
            if error.errno in GONE:
                self.program.lost(error)
            else:
                self.tell("trouble", {"topic": topic, "error": str(error.strerror or error)})

        self.program.rpc(topic, payload, answered, failed)

    def tell(self, kind: str, fact: Any) -> None:
        """Send a fact, unless it is the one that was sent last."""
        if self.told.get(kind) != fact:
            self.told[kind] = fact
            self.out.send(kind, fact=fact)

    def take_state(self, answer: Dict[str, Any]) -> None:
        """The broker's state is also the heartbeat: it shows that the broker answers."""
        state = answer["state"]
        if state != self.program.state or self.ticks % SLOW_TICKS == 0:
            self.program.state = state
            self.out.send("beat", now=time.time(), state=state)
        if not self.mode and state not in LOADING:
            self.start()

    def take_queue_names(self, answer: Dict[str, Any]) -> None:
        """One status RPC per queue."""
        queue_status(self.ask, answer["queues"], lambda queues: self.tell("queues", queues))

    def take_overlay(self, answer: Dict[str, Any]) -> None:
        """Rank health: the lead and its children, without the ever changing durations."""
        nodes = [answer, *answer.pop("children", [])]
        for node in nodes:
            node.pop("duration", None)
        self.tell("overlay", nodes)

    # -- jobs

    def start(self) -> None:
        """Begin to tell jobs, by the journal if it can be had."""
        if self.program.version < JOURNAL_SINCE:
            self.poll("flux-core before 0.68 has no journal that can be read")
            return
        self.mode = "journal"
        handle = self.program.handle
        journal = handle.rpc("job-manager.events-journal", {"full": False}, 0, RPC_STREAMING)
        self.program.held["journal"] = journal
        journal.then(self.take_event)
        self.ask("job-manager.alloc-query", {}, self.take_subscription)

    def poll(self, why: str) -> None:
        """Without a journal: ask for what changed, again and again."""
        self.mode = "poll"
        self.out.send("mode", mode="poll", why=why)
        self.list_jobs(part=False)

    def take_subscription(self, _answer: Any) -> None:
        """Job-manager answers in order: the history, or its refusal, came before this answer."""
        if self.mode == "journal":
            self.subscribed = True
            self.out.send("mode", mode="journal", why="")
            if self.history:
                self.out.send("active", ids=self.active)
            self.active = []
            self.list_jobs(part=False)

    def relist(self) -> None:
        """The whole list once more."""
        if self.subscribed or self.mode == "poll":
            self.list_jobs(part=False)

    def take_event(self, future: Any) -> None:
        """One journal response: `id`, `events`, and the jobspec or R that belongs to them."""
        try:
            answer = future.get()
        except OSError as error:
            if error.errno == errno.EPERM:
                self.poll("no right to read the journal: %s" % (error.strerror or error))
            else:
                self.program.lost("the journal ended: %s" % (error.strerror or error))
            return
        future.reset()
        events = answer.get("events")
        if not events:
            self.history = True
            return
        if not self.subscribed:
            self.active.append(answer["id"])
            if events[-1]["timestamp"] < time.time() - LAG:
                return
        self.changed = True
        self.out.send("event", **answer)

    def list_jobs(self, part: bool) -> None:
        """Send all jobs; or (part) all active ones and those that ended since the last list."""
        since = max(0.0, self.listed - 2.0) if part else 0.0
        asked = time.time()
        payload = {"max_entries": 0, "attrs": ["all"], "since": since, "constraint": {"and": []}}

        def take(text: str) -> None:
            self.listed = asked
            self.out.send_jobs(text, part)

        self.program.rpc("job-list.list", payload, take, self.program.lost, text=True)
