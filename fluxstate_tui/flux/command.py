"""One flux command, for what is asked once or where the remote program cannot run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from errno import ENOSYS
from typing import TYPE_CHECKING, Protocol

from fluxstate_tui.errors import FluxstateError

if TYPE_CHECKING:
    from fluxstate_tui.flux.endpoint import Endpoint
    from fluxstate_tui.kube.exec import ExecResult


class Executor(Protocol):
    """What runs a command in a container to its end: kube.session.Cluster."""

    async def exec(
        self,
        namespace: str,
        pod: str,
        container: str,
        argv: Sequence[str],
        *,
        stdin: bytes | None = None,
        timeout: float | None = None,
        only_reads: bool = False,
    ) -> ExecResult:
        """See kube.session.Cluster.exec."""
        ...


class FluxFailed(FluxstateError):
    """Flux refused, in its own words. `code` is its exit code, `errno` its error number."""

    def __init__(self, what: str, said: str, *, code: int = 1, errno: int | None = None) -> None:
        super().__init__(f"{what}: {said}" if said else f"{what} failed with exit code {code}.")
        self.said = said
        self.code = code
        self.errno = errno


class NotServing(FluxFailed):
    """No module of the broker answers to that (yet): it may still be starting."""


def failed(what: str, said: str, *, code: int = 1, errno: int | None = None) -> FluxFailed:
    """The error for what Flux said."""
    kind = NotServing if errno == ENOSYS or "No service matching" in said else FluxFailed
    return kind(what, said, code=code, errno=errno)


async def run_flux(
    executor: Executor,
    endpoint: Endpoint,
    args: Sequence[str],
    *,
    timeout: float = 60.0,
    only_reads: bool = False,
    wrapped: Callable[[list[str]], list[str]] = list,
) -> str:
    """Run `flux ARGS` with the lead's own flux; its output. Raises FluxFailed, or a KubeError.

    `wrapped` makes the command that is run of the one that runs flux.
    """
    result = await executor.exec(
        endpoint.namespace,
        endpoint.pod,
        endpoint.container,
        wrapped(endpoint.flux_argv(args)),
        timeout=timeout,
        only_reads=only_reads,
    )
    if result.code != 0:
        said = result.stderr.decode("utf-8", "replace").strip()
        raise failed(f"flux {' '.join(args[:2])}", said, code=result.code)
    return result.stdout.decode("utf-8", "replace")
