"""Jobs: submit, and follow the output of one."""

import errno
import json
import os
from typing import Any, List

from fluxstate_tui.flux.remote.request import Request

ANY_NODE = 0xFFFFFFFF
RPC_NO_RESPONSE = 1
RPC_STREAMING = 2
WATCH_WAITCREATE = 1  # a job that does not run yet has no output yet


def submit(request: Request) -> None:
    """Submit `copies` jobs of one jobspec (RFC 25); reply ids and Flux's errors as they are.

    The environment and the directory are this container's, as with `flux submit` run here.
    """
    jobspec = request.args["jobspec"]
    system = jobspec["attributes"]["system"]
    environment = dict(os.environ)
    environment.pop("FLUX_F58_FORCE_ASCII", None)  # set for this program, not by the user
    system["environment"] = dict(environment, **system.get("environment", {}))
    system.setdefault("cwd", os.getcwd())
    copies = int(request.args.get("copies", 1))
    urgency = int(request.args.get("urgency", 16))
    ids: List[int] = []
    errors: List[str] = []

    def submitted(future: Any) -> None:
        try:
            ids.append(int(future.get_id()))
        except OSError as error:
            errors.append(str(error.strerror or error))
        if len(ids) + len(errors) == copies:
            request.reply({"ids": sorted(ids), "errors": errors})

    text = json.dumps(jobspec)
    program = request.program
    for _copy in range(copies):
        program.flux_job.submit_async(program.handle, text, urgency=urgency).then(submitted)


def follow(request: Request) -> None:
    """Send a job's output as it comes (`output` lines); reply when it has ended."""
    program = request.program

    def event(future: Any) -> None:
        try:
            text = future.get()["event"]
        except OSError as error:
            program.held.pop(request.number, None)
            if error.errno == errno.ENODATA:
                request.reply({})
            else:
                request.fail(error)
            return
        future.reset()
        program.out.send("output", id=request.number, event=text)

    payload = {"id": request.args["job"], "path": "guest.output", "flags": WATCH_WAITCREATE}
    future = program.handle.rpc("job-info.eventlog-watch", payload, ANY_NODE, RPC_STREAMING)
    program.held[request.number] = future
    future.then(event)


def unfollow(request: Request) -> None:
    """End the `job.follow` whose request's id is `request`."""
    future = request.program.held.get(request.args["request"])
    if future is not None:
        topic = "job-info.eventlog-watch-cancel"
        payload = {"matchtag": future.pimpl.get_matchtag()}
        request.program.handle.rpc(topic, payload, ANY_NODE, RPC_NO_RESPONSE)
    request.reply({})
