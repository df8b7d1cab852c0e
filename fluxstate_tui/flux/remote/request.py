"""One request, as a line on stdin: `{"id": 7, "do": "job.cancel", "args": {"job": 1234}}`."""

from typing import Any, Callable, Dict, Optional


class Request:
    """It is answered exactly once, by a `reply` line with its id; `progress` lines may precede.

    `program` is the running fluxstate_tui.flux.remote.program.Program.
    """

    def __init__(self, program: Any, number: Any, args: Dict[str, Any]) -> None:
        self.program = program
        self.number = number
        self.args = args

    def reply(self, result: Dict[str, Any]) -> None:
        """It was done; this came of it."""
        self.program.out.send("reply", id=self.number, ok=True, result=result)

    def fail(self, error: Any) -> None:
        """It was not done: Flux's (or the system's) own words."""
        text = str(getattr(error, "strerror", None) or error)
        number = getattr(error, "errno", None)
        self.program.out.send("reply", id=self.number, ok=False, errno=number, error=text)

    def progress(self, **fields: Any) -> None:
        """It goes on."""
        self.program.out.send("progress", id=self.number, **fields)

    def ask(
        self,
        topic: str,
        payload: Any,
        then: Callable[[Any], None],
        fail: Optional[Callable[[Any], None]] = None,
    ) -> None:
        """Call Flux and hand its answer to `then`; an error of Flux goes to `fail`, or becomes the
        reply."""

        def guarded(answer: Any) -> None:
            try:
                then(answer)
            except Exception as error:  # a bug in one request must not end the program
                self.fail(error)

        self.program.rpc(topic, payload, guarded, fail or self.fail)
