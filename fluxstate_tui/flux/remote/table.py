"""All requests by name, with their arguments. `fluxstate_tui.flux.session` has the other side."""

import time
from typing import Any, Callable, Dict

from fluxstate_tui.flux.remote import filework, jobs, kvs, queues
from fluxstate_tui.flux.remote.request import Request

Arguments = Dict[str, Any]
Handler = Callable[[Request], None]


def rpc(topic: str, payload: Callable[[Arguments], Arguments]) -> Handler:
    """A request that is one RPC of Flux, whose answer is the reply."""

    def call(request: Request) -> None:
        request.ask(topic, payload(request.args), lambda answer: request.reply(answer or {}))

    return call


def exception(args: Arguments) -> Arguments:
    """A job exception; without more it cancels the job."""
    fields = {"id": args["job"], "type": args.get("type", "cancel")}
    fields["severity"] = args.get("severity", 0)
    if args.get("note"):
        fields["note"] = args["note"]
    return fields


def listing(args: Arguments) -> Arguments:
    """Jobs: at most `max` (0 = all) inactive ones that ended after `since`, and all active."""
    constraint = args.get("constraint", {"and": []})
    since = float(args.get("since", 0))
    payload = {"max_entries": args.get("max", 0), "since": since, "attrs": ["all"]}
    return dict(payload, constraint=constraint)


def update(args: Arguments) -> Arguments:
    """A new time limit in seconds."""
    return {"id": args["job"], "updates": {"attributes.system.duration": float(args["duration"])}}


def ping(request: Request) -> None:
    """The cluster's clock."""
    request.reply({"now": time.time()})


REQUESTS: Dict[str, Handler] = {
    "ping": ping,  # -> now
    "watch": lambda request: request.program.watch(request),  # jobs, queues ... from now on
    "relist": lambda request: request.program.relist(request),  # the whole job list once more
    "queue.status": queues.read_queues,  # -> queues [{name enable start ..._reason}], running ...
    "queue.stop": queues.stop,  # names=[], reason=""
    "queue.start": queues.start,  # names=[]
    "queue.disable": queues.disable,  # names=[], reason=""
    "queue.enable": queues.enable,  # names=[]
    "stats": rpc("job-list.job-stats", lambda args: {}),
    "resources": rpc("resource.sched-status", lambda args: {}),
    "jobs.list": rpc("job-list.list", listing),  # max=0, since=0.0 -> jobs
    "job.get": rpc("job-list.list-id", lambda args: {"id": args["job"], "attrs": ["all"]}),
    "job.info": rpc(  # job, keys=["eventlog", "jobspec", "R", "guest.output"]
        "job-info.lookup", lambda args: {"id": args["job"], "keys": args["keys"], "flags": 0}
    ),
    "job.submit": jobs.submit,  # jobspec, copies=1, urgency=16 -> ids, errors
    "job.cancel": rpc("job-manager.raise", exception),  # job, note=""
    "job.raise": rpc("job-manager.raise", exception),  # job, type, severity, note=""
    "job.kill": rpc(  # job, signal
        "job-manager.kill", lambda args: {"id": args["job"], "signum": args["signal"]}
    ),
    "job.urgency": rpc(  # job, urgency (0 = hold)
        "job-manager.urgency", lambda args: {"id": args["job"], "urgency": args["urgency"]}
    ),
    "job.update": rpc("job-manager.update", update),  # job, duration
    "job.follow": jobs.follow,  # job; `output` lines until it ends
    "job.unfollow": jobs.unfollow,  # request
    "kvs.state": kvs.state,  # -> root, checkpoint (or None), fresh
    "kvs.sync": kvs.sync,  # -> root, checkpoint, synced
    "kvs.put": kvs.put,  # key, value -> as kvs.sync
    "kvs.unlink": kvs.unlink,  # key -> as kvs.sync
    "kvs.get": kvs.get,  # key -> value (text)
    "file.stat": filework.stat,  # path -> size, sha256, mtime
    "dump": filework.dump,  # path -> code, stderr, size, sha256, mtime
}
