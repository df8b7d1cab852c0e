"""Jobspecs from options, as `flux submit` makes them."""

from __future__ import annotations

import pytest

from fluxstate_tui.broker.submit import SubmitOptions, parse_dependency, tutorial_loop
from fluxstate_tui.flux.jobspec import counts, duration, job_name, parse_duration


@pytest.mark.parametrize(
    ("ntasks", "nnodes", "cores", "expected"),
    [
        (1, None, 1, (1, 1, None)),
        (4, None, 2, (4, 8, None)),
        (4, 2, 1, (4, 4, 2)),
        (3, 2, 1, (3, 4, 2)),  # the slots of the second node are there too
    ],
)
def test_the_counts_are_those_that_were_asked_for(
    ntasks: int, nnodes: int | None, cores: int, expected: tuple[int, int, int | None]
) -> None:
    options = SubmitOptions(("true",), ntasks=ntasks, nnodes=nnodes, cores_per_task=cores)
    found = counts(options.jobspec())
    assert (found.ntasks, found.ncores, found.nnodes) == expected


def test_everything_else_stands_in_the_jobspec() -> None:
    options = SubmitOptions(
        command=("sh", "-c", "echo [/foo]"),
        duration=90.0,
        name="ƒ-[red]",
        queue="batch",
        dependencies=("afterok:f21mNXsm",),
        cwd="/tmp",
        environment={"A": "b"},
        gpus_per_task=1,
    )
    jobspec = options.jobspec()
    system = jobspec["attributes"]["system"]
    assert jobspec["tasks"][0]["command"] == ["sh", "-c", "echo [/foo]"]
    assert (duration(jobspec), job_name(jobspec)) == (90.0, "ƒ-[red]")
    assert (system["queue"], system["cwd"], system["environment"]) == ("batch", "/tmp", {"A": "b"})
    assert system["dependencies"] == [{"scheme": "afterok", "value": "f21mNXsm"}]


@pytest.mark.parametrize(
    "options",
    [
        SubmitOptions(()),
        SubmitOptions(("x",), ntasks=0),
        SubmitOptions(("x",), ntasks=1, nnodes=2),
        SubmitOptions(("x",), nnodes=0),
        SubmitOptions(("x",), urgency=32),
        SubmitOptions(("x",), copies=0),
        SubmitOptions(("x",), dependencies=("afterok",)),
    ],
)
def test_what_no_flux_would_take_is_refused_here(options: SubmitOptions) -> None:
    with pytest.raises(ValueError, match=r"\w{4,}"):
        options.jobspec()


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("1.5h", 5400), ("10m", 600), ("2d", 172800), ("5s", 5)]
)
def test_durations_are_those_of_rfc_23(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "5x", "-1", "1 h", "1h30m"])
def test_what_is_no_duration_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


def test_a_begin_time_has_its_timestamp() -> None:
    assert parse_dependency("begin-time:1797884699.5")["timestamp"] == 1797884699.5


def test_the_tutorials_loop_is_sleep_and_whoami_five_times() -> None:
    commands = [options.command for options in tutorial_loop()]
    assert commands[:4] == [("sleep", "1"), ("whoami",), ("sleep", "2"), ("whoami",)]
    assert len(commands) == 10
