"""Queues: read, stop, start, disable, enable (job-manager RPCs of flux-core 0.47 and later)."""

from typing import Any, Callable, Dict, List

from fluxstate_tui.flux.remote.request import Request


def queue_status(ask: Callable[..., None], names: List[str], then: Callable[[Any], None]) -> None:
    """Ask for the state of every queue; no names = only the anonymous one, whose name is ''."""
    found: Dict[str, Any] = {}
    wanted = names or [""]

    def take(name: str, answer: Dict[str, Any]) -> None:
        found[name] = dict(answer, name=name)
        if len(found) == len(wanted):
            then([found[name] for name in wanted])

    for name in wanted:
        payload = {"name": name} if name else {}
        ask("job-manager.queue-status", payload, lambda answer, name=name: take(name, answer))


def read_queues(request: Request) -> None:
    """Reply all queues, and how many jobs run, queue, or wait for the scheduler's answer."""

    def listed(answer: Dict[str, Any]) -> None:
        queue_status(request.ask, answer["queues"], status)

    def status(queues: Any) -> None:
        if request.program.watching is not None:
            request.program.watching.tell("queues", queues)  # do not wait for the next look

        def counted(counts: Dict[str, Any]) -> None:
            request.reply(dict(counts, queues=queues))

        request.ask("job-manager.alloc-query", {}, counted)

    request.ask("job-manager.queue-list", {}, listed)


def change_queues(topic: str, **change: bool) -> Callable[[Request], None]:
    """Change the queues in `names`, one after the other, or all; reply what is read back."""

    def call(request: Request) -> None:
        names = list(request.args.get("names") or [])
        payload: Dict[str, Any] = dict(change)
        if request.args.get("reason"):
            payload["reason"] = request.args["reason"]

        def following(_answer: Any) -> None:
            if names:
                request.ask(topic, dict(payload, all=False, name=names.pop(0)), following)
            else:
                read_queues(request)

        if names:
            following(None)
        else:
            request.ask(topic, dict(payload, all=True), following)

    return call


stop = change_queues("job-manager.queue-start", start=False, nocheckpoint=False)
start = change_queues("job-manager.queue-start", start=True, nocheckpoint=False)
disable = change_queues("job-manager.queue-enable", enable=False)
enable = change_queues("job-manager.queue-enable", enable=True)
