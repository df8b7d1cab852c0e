"""What a conversation runs over: a program in a container, with its streams."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

STDOUT_CHANNEL = 1


class Stream(Protocol):
    """A running program: see kube.exec.ExecStream."""

    @property
    def exit_code(self) -> int | None:
        """None as long as it runs."""
        ...

    async def read(self) -> tuple[int, bytes] | None:
        """The next (channel, bytes); None at the end."""
        ...

    async def write(self, data: bytes) -> None:
        """To its stdin."""
        ...

    async def close_stdin(self) -> None:
        """No more input comes."""
        ...


class StreamExecutor(Protocol):
    """What starts a program in a container: kube.session.Cluster."""

    @property
    def read_only(self) -> bool:
        """Whether anything may be changed."""
        ...

    def exec_stream(
        self,
        namespace: str,
        pod: str,
        container: str,
        argv: Sequence[str],
        *,
        only_reads: bool = False,
    ) -> AbstractAsyncContextManager[Stream]:
        """See kube.session.Cluster.exec_stream."""
        ...
