"""Where a session cannot be had: what `flux submit` is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from fluxstate_tui.broker.commands import FluxFailed
from fluxstate_tui.broker.locate import Endpoint
from fluxstate_tui.broker.submit import SubmitOptions, Submitted, submit_argv, submit_by_command
from fluxstate_tui.kube.exec import ExecResult

ENDPOINT = Endpoint("ns", "pod-0", "uid", "c")


class Answering:
    """A container whose commands end like this, one after the other."""

    def __init__(self, *results: ExecResult) -> None:
        self.results = list(results)
        self.commands: list[list[str]] = []

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
        assert not only_reads, "a submission changes something"
        self.commands.append(list(argv))
        return self.results.pop(0)


def test_every_option_is_a_word_of_its_own() -> None:
    options = SubmitOptions(
        ("sh", "-c", "echo $HOME; -x"),
        ntasks=4,
        nnodes=2,
        cores_per_task=3,
        duration=90.0,
        name="-[x] y",
        queue="batch",
        dependencies=("afterok:f1", "afterany:f2"),
        urgency=0,
        copies=3,
        cwd="/tmp/a b",
        environment={"A": "b c"},
    )
    assert submit_argv(options) == [
        *("submit", "--ntasks=4", "--cores-per-task=3", "--nodes=2", "--time-limit=90.0s"),
        *("--job-name=-[x] y", "--queue=batch", "--cwd=/tmp/a b"),
        *("--dependency=afterok:f1", "--dependency=afterany:f2", "--urgency=0"),
        *("--env=-FLUX_F58_FORCE_ASCII", "--env=A=b c", "--cc=1-3"),
        *("--", "sh", "-c", "echo $HOME; -x"),
    ]


async def test_braces_are_not_replaced_by_flux_submit() -> None:
    """It would put the copy's number for `{cc}` and fail with `{print}`, when asked for copies."""
    container = Answering(ExecResult(0, b"f1\n", b""), ExecResult(0, b"f2\n", b""))
    options = SubmitOptions(("awk", "{print}"), copies=2)
    submitted = await submit_by_command(container, ENDPOINT, options)
    assert submitted == Submitted((0, 1), ())
    assert not any("--cc" in word for argv in container.commands for word in argv)


async def test_what_was_refused_stands_beside_what_was_submitted() -> None:
    words = b"cc=2: [Errno 22] 'nowhere' is not a valid queue\n"
    container = Answering(ExecResult(1, b"f2\n", words))
    submitted = await submit_by_command(container, ENDPOINT, SubmitOptions(("true",), copies=2))
    assert submitted == Submitted((1,), ("'nowhere' is not a valid queue",))


async def test_an_end_that_is_no_answer_is_a_failure_in_its_own_words() -> None:
    container = Answering(ExecResult(127, b"", b"flux: not found"))
    with pytest.raises(FluxFailed, match="not found"):
        await submit_by_command(container, ENDPOINT, SubmitOptions(("true",)))
