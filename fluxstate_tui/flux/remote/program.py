"""The handle, the reactor, and the way in for requests."""

import json
import os
import re
import time
from typing import Any, Callable, Dict, List, Optional

from fluxstate_tui.flux.remote.output import PROTOCOL, Output
from fluxstate_tui.flux.remote.request import Request
from fluxstate_tui.flux.remote.table import REQUESTS
from fluxstate_tui.flux.remote.watch import Watch

READABLE = 1
ATTRIBUTES = (
    *("version", "size", "rank", "hostlist", "instance-level", "security.owner"),
    *("broker.starttime", "statedir", "content.restore"),
)


class Program:
    """One life: hello, then requests and (once `watch` was asked for) facts, until stdin closes."""

    def __init__(self, handle: Any, flux_job: Any) -> None:
        self.handle = handle
        self.flux_job = flux_job
        self.out = Output()
        self.version = tuple(map(int, re.findall(r"\d+", handle.attr_get("version"))[:2]))
        self.state = ""
        self.watching: Optional[Watch] = None
        self.children: List[Any] = []
        self.held: Dict[Any, Any] = {}  # futures and watchers that must not be collected
        self.unread = b""
        self.closed = False
        self.code = 0

    def rpc(
        self,
        topic: str,
        payload: Any,
        then: Callable[[Any], None],
        fail: Callable[[Any], None],
        text: bool = False,
    ) -> None:
        """One RPC to rank 0, whose answer (as text if asked for) or OSError comes later."""

        def answered(future: Any) -> None:
            try:
                answer = future.get_str() if text else future.get()
            except OSError as error:
                fail(error)
                return
            then(answer)

        self.handle.rpc(topic, payload, 0, 0).then(answered)

    def attribute(self, name: str) -> str:
        """A broker attribute, '' if it has none of that name."""
        try:
            return str(self.handle.attr_get(name))
        except OSError:
            return ""

    def hello(self, answer: Dict[str, Any]) -> None:
        """The first line: who is there, and what its clock says."""
        self.state = answer["state"]
        attributes = {name: self.attribute(name) for name in ATTRIBUTES}
        fields = {"attributes": attributes, "state": self.state, "uid": os.getuid()}
        self.out.send("hello", protocol=PROTOCOL, now=time.time(), **fields)

    def lost(self, why: Any) -> None:
        """The broker is gone: say so, and end with 1."""
        if self.code == 0:
            self.code = 1
            self.out.send("lost", why=str(getattr(why, "strerror", None) or why))
            self.handle.reactor_stop()

    def watch(self, request: Request) -> None:
        """Tell everything from now on."""
        if self.watching is None:
            self.watching = Watch(self)
            self.watching.look()
        request.reply({})

    def relist(self, request: Request) -> None:
        """Send the whole job list once more, joined with the journal as at the start."""
        if self.watching is not None:
            self.watching.relist()
        request.reply({})

    def take_input(self, *_args: Any) -> None:
        """Stdin has something to read, or was closed."""
        data = os.read(0, 65536)
        if not data:
            self.closed = True
            self.handle.reactor_stop()
            return
        lines = (self.unread + data).split(b"\n")
        self.unread = lines.pop()
        for line in lines:
            if line.strip():
                self.take_line(line)

    def take_line(self, line: bytes) -> None:
        """One request. Whatever is wrong with it becomes its reply."""
        request = Request(self, None, {})
        try:
            message = json.loads(line.decode("utf-8"))
            request = Request(self, message["id"], message.get("args", {}))
            REQUESTS[message["do"]](request)
        except KeyError as error:
            request.fail("unknown or missing: %s" % error)
        except Exception as error:  # the program outlives any request
            request.fail(error)

    def run(self) -> int:
        """Live until stdin closes (0) or the broker is lost (1)."""
        stdin = self.handle.fd_watcher_create(0, self.take_input, READABLE)
        stdin.start()
        self.rpc("state-machine.get", None, self.hello, self.lost)
        try:
            self.handle.reactor_run()
            if not self.closed:  # the reactor has nothing to listen to any more (SIGKILL, tried)
                self.lost("the connection to the broker broke")
        finally:
            for child in self.children:
                child.kill()
                child.wait()
        return self.code


def main() -> int:
    """Returns the exit code: 0 stdin was closed, 1 the broker is lost, 3 no bindings."""
    try:
        import flux  # type: ignore[import-not-found, unused-ignore]
        import flux.job  # type: ignore[import-not-found, unused-ignore]
    except ImportError as error:
        Output().send("lost", why="no Python bindings of Flux: %s" % error)
        return 3
    try:
        return Program(flux.Flux(), flux.job).run()
    except OSError as error:
        Output().send("lost", why=str(error.strerror or error))
        return 1
