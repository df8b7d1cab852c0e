"""`job VERB NAME ID...`: what keys do to jobs, for scripts, read back and with exit codes."""

from __future__ import annotations

from typing import get_args

import pytest

from fluxstate_tui.cli.job import VERBS
from fluxstate_tui.errors import ExitCode
from fluxstate_tui.live.actions import JobVerb
from fluxstate_tui.sim.faults import STDIN
from tests.unit.cli_operate.conftest import Finished, Program

NAME = "flux-sample"


def test_every_verb_of_the_keys_is_there() -> None:
    assert set(VERBS.values()) == set(get_args(JobVerb))


async def submitted(program: Program, *words: str) -> str:
    done = await program("submit", NAME, *words, "--", "sleep", "9999")
    assert done.code == 0, done
    return done.out.strip()


async def row(program: Program, job: str) -> dict[str, object]:
    listed = await program("get", "jobs", NAME, "--json")
    [found] = [one for one in listed.json["jobs"] if one["id"] == parse(job)]
    return dict(found)


def parse(job: str) -> int:
    from fluxstate_tui.flux.jobid import parse_job_id

    return parse_job_id(job)


async def act(program: Program, verb: str, *words: str) -> Finished:
    return await program("job", verb, NAME, *words)


async def test_each_verb_does_what_its_key_does_and_is_read_back(program: Program) -> None:
    await program("pause", NAME)
    job = await submitted(program)
    other = await submitted(program)
    held = await act(program, "hold", job, other)
    assert held.code == 0, held
    assert held.out.count("ok    f") == 2
    assert "its eventlog says urgency: urgency 0" in held.out
    assert (await row(program, job))["urgency"] == 0
    copy = (await act(program, "again", job, "--json")).json["answers"][0]
    assert copy["readBack"]
    assert (await row(program, copy["new"]["jobid"]))["urgency"] == 0
    assert (await act(program, "release", job)).code == 0
    raised = await act(program, "urgency", job, "--urgency", "20")
    assert raised.code == 0
    assert (await row(program, job))["urgency"] == 20
    limited = await act(program, "time-limit", job, "--time-limit", "10m")
    assert "jobspec-update: duration 600" in limited.out
    noted = await act(
        program, "raise", job, "--type", "look", "--severity", "3", "--note", "why", "--yes"
    )
    assert noted.code == 0, noted
    ended = await act(program, "cancel", job, other, "--note", "enough", "-y", "--json")
    assert ended.code == 0
    assert [one["taken"] for one in ended.json["answers"]] == [True, True]
    log = await program("log", "--commands")
    for words in ("job hold", "job again", "job cancel", "cancel -m enough", "job urgency"):
        assert words in log.out, log.out


async def test_what_cannot_be_undone_needs_a_yes_and_is_logged_when_refused(
    program: Program,
) -> None:
    job = await submitted(program)
    for verb in (("cancel",), ("kill",), ("raise", "--type", "x")):
        refused = await act(program, verb[0], job, *verb[1:])
        assert refused.code == ExitCode.REFUSED
        assert "do: --yes" in refused.err
    assert (await row(program, job))["status"] in ("SCHED", "RUN")
    assert "consent was not given" in (await program("log")).out


async def test_a_dry_run_and_read_only_change_nothing(program: Program) -> None:
    job = await submitted(program)
    shown = await act(program, "cancel", job, "--dry-run", "--json")
    assert shown.code == 0
    assert [one["jobid"] for one in shown.json["plan"]["jobs"]] == [job]
    assert shown.json["answers"] is None
    refused = await act(program, "hold", job, "--read-only", "--yes")
    assert refused.code == ExitCode.REFUSED
    assert "--read-only" in refused.err
    assert (await act(program, "cancel", job, "--read-only", "--dry-run")).code == 0
    assert (await row(program, job))["status"] in ("SCHED", "RUN")
    assert "job hold" in (await program("log")).out


async def test_jobs_that_are_over_are_skipped_and_unknown_ones_are_not_found(
    program: Program,
) -> None:
    job, other = await submitted(program), await submitted(program, "--urgency", "0")
    assert (await act(program, "cancel", job, "-y")).code == 0
    some = await act(program, "cancel", job, other, "-y", "--json")
    assert some.code == ExitCode.FAILURE
    assert [one["jobid"] for one in some.json["plan"]["skipped"]] == [job]
    assert [one["jobid"] for one in some.json["answers"]] == [other]
    none = await act(program, "hold", job)
    assert none.code == ExitCode.FAILURE
    assert f"{job}  is over" in none.out
    missing = await act(program, "cancel", "f1", other, "-y")
    assert missing.code == ExitCode.NOT_FOUND
    assert "has no job f1" in missing.err
    assert (await program("job", "hold", "nosuch", "f1")).code == ExitCode.NOT_FOUND


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("urgency", NAME, "f1"), "needs --urgency 0-31"),
        (("urgency", NAME, "f1", "--urgency", "32"), "from 0 to 31"),
        (("limit", NAME, "f1", "--time-limit", "soon"), ""),
        (("raise", NAME, "f1"), "needs --type"),
        (("raise", NAME, "f1", "--type", "a b"), "one word"),
        (("hold", NAME, "f1", "--note", "x"), "--note is not for hold"),
        (("hold", NAME, "nonsense"), "not a job id"),
        (("explode", NAME, "f1"), "invalid choice"),
        (("hold", NAME), "required: ID"),
    ],
)
async def test_a_command_line_that_makes_no_sense_is_refused_before_anything(
    program: Program, words: tuple[str, ...], said: str
) -> None:
    done = await program("job", *words, kubeconfig="/nowhere")
    assert done.code == ExitCode.USAGE
    assert said in done.err


async def test_a_connection_that_is_lost_after_the_request_leaves_an_unknown_outcome(
    program: Program,
) -> None:
    job = await submitted(program)
    program.stage.sim.faults.gate = Losing(program)
    lost = await act(program, "cancel", job, "--yes")
    assert lost.code == ExitCode.UNKNOWN, lost
    assert "may have been carried out or not" in lost.err
    program.stage.sim.faults.gate = None
    assert "Unknown" in (await program("log")).out


class Losing:
    """The connection dies with the request to raise an exception: it arrives, no answer does."""

    def __init__(self, program: Program) -> None:
        self._faults = program.stage.sim.faults

    async def __call__(self, method: str, what: str) -> None:
        if method == STDIN and "job-manager.raise" in what:
            self._faults.add("stdin-lost", method=STDIN, path="job-manager.raise", count=1)
