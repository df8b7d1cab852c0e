"""The flux command: what it prints and how it fails, as recorded from flux-core 0.88."""

from __future__ import annotations

import json

import pytest

from fluxstate_tui.flux.jobid import f58, f58_ascii
from fluxstate_tui.sim.flux.cli.formatting import fsd
from fluxstate_tui.sim.machine import Collected, CommandNotFound
from tests.unit.sim_flux.world import MiniClusterClient, Ran, archive, world

VIEWLESS = "/mnt/flux/config/run/flux/local"


async def plain(w: MiniClusterClient, script: str) -> Ran:
    """A shell in which nobody sourced flux-view.sh."""
    io = Collected()
    code = await w.clock.run(w.machine.run(["/bin/bash", "-c", script], io))
    return Ran(code, io.stdout.decode(), io.stderr.decode())


async def test_the_tutorials_lines_work() -> None:
    async with world() as w:
        ran = await plain(
            w, ". /mnt/flux/flux-view.sh && flux proxy $fluxsocket flux submit sleep 3"
        )
        assert ran.code == 0
        assert ran.out == f58(next(iter(w.instance.jobs.jobs))) + "\n"
        ran = await w.sh("for i in {1..5}; do flux submit sleep ${i}; flux submit whoami; done")
        assert len(ran.out.split()) == 10
        await w.sh("sleep 1")
        ran = await w.sh("flux queue stop; flux queue idle; flux dump /state/archive.tar.gz")
        assert ran.out == "Scheduling is stopped\n0 jobs\n"
        assert ran.err.startswith("\rflux-dump: archived 1 keys\rflux-dump: archived 2 keys")
        assert ran.err.endswith("archived 80 keys\n")
        ran = await w.sh("ls -l /state")
        assert ran.out.startswith("total ")
        assert ran.out.rstrip().endswith("archive.tar.gz")


async def test_the_tutorial_of_v1alpha1_works_with_sudo() -> None:
    async with world(layout="v1alpha1", owner_uid=1000) as w:
        ran = await plain(
            w, "sudo -u flux flux proxy local:///var/run/flux/local flux submit whoami; sleep 3"
        )
        assert ran.code == 0
        ran = await plain(w, "sudo -u flux flux proxy local:///var/run/flux/local flux jobs -a")
        assert ran.out.splitlines()[1].split()[1:4] == ["flux", "whoami", "CD"]
        job = next(iter(w.instance.jobs.jobs.values()))
        assert b'"data":"flux\\n"' in (job.guest or {})["output"]


async def test_flux_is_only_found_once_the_view_is_sourced() -> None:
    async with world() as w:
        ran = await plain(w, "flux jobs")
        assert (ran.code, ran.err) == (127, "/bin/bash: line 1: flux: command not found\n")
        with pytest.raises(CommandNotFound):
            await w.machine.run(["flux", "jobs"], Collected())


async def test_the_job_table_looks_as_recorded() -> None:
    async with world(restore=archive("mixed"), restore_path="/state/a.tar.gz") as w:
        w.instance.control.queue_start({"start": False, "all": True})
        ran = await w.sh("flux jobs -a")
        lines = ran.out.splitlines()
        assert lines[0] == "       JOBID USER     NAME       ST NTASKS NNODES     TIME INFO"
        for line in (
            "    ƒin7qAVd root     p-held      S      1      -        - held",
            "    ƒjEDWXDh root     p-begin     D      1      -        - depends:begin@",
            "    ƒYmAYbaP root     b-batch    CD      1      1   8.557s flux-sample-1",
            "    ƒTLTT3xs root     d-afterno+ CD      1      1   0.039s flux-sample-1",
            "    ƒ4Mj2fou root     ok-multin+ CD      4      2   0.054s flux-sample-[0-1]",
            "    ƒLRtV6m5 root     f-unsat     F      9      9        - ",
            "    ƒKcRQ6Sj root     f-timeout  TO      1      1   1.000s flux-sample-0",
            "    ƒRmFjEUX root     c-pending  CA      1      -        - ",
        ):
            assert [found for found in lines if found.startswith(line)], line


async def test_jobs_as_json() -> None:
    async with world() as w:
        job = await w.submit("hostname")
        other = await w.submit("true")
        await w.clock.advance(5)
        one = json.loads((await w.sh(f"flux jobs -a --json {job.id}")).out)
        assert one["name"] == "hostname"
        assert one["result"] == "COMPLETED"
        both = json.loads((await w.sh(f"flux jobs --json {job.id} {other.id}")).out)
        assert [entry["id"] for entry in both["jobs"]] == [job.id, other.id]
        last = json.loads((await w.sh("flux jobs -a --json -c 1")).out)
        assert len(last["jobs"]) == 1
        assert json.loads((await w.sh("flux jobs --json")).out) == {"jobs": []}


async def test_selecting_and_formatting_jobs() -> None:
    async with world() as w:
        await w.sh("flux submit --cc=1-2 true; flux submit --job-name=bad false; sleep 3")
        await w.sh("flux submit --job-name=long sleep 100; sleep 1")
        for options, out in (
            ("-no {name} -f failed", "bad\n"),
            ("-no '{name} {state} {status_abbrev}' -f running", "long RUN R\n"),
            ("-a -no '{name:>6.4+}|{result}' --name=bad", "   bad|FAILED\n"),
            ("-ano '{returncode}' -f completed", "0\n0\n"),
            ("-a -o '{id.dec} {name}' --name=long", None),
        ):
            ran = await w.sh(f"flux jobs {options}")
            assert ran.code == 0
            assert out is None or ran.out == out
        ran = await w.sh("flux jobs --stats-only")
        assert (ran.code, ran.out) == (
            0,
            "1 running, 2 completed, 1 failed, 0 pending, 0 inactive purged\n",
        )
        ran = await w.sh("flux cancel --all; sleep 1; flux jobs --stats-only")
        assert ran.code == 1


@pytest.mark.parametrize(
    ("command", "code", "err"),
    [
        ("flux jobs f1234", 1, "JobID f1234 unknown\n"),
        ("flux jobs -o '{nosuch}'", 1,
         "flux-jobs: ERROR: Error in user format: Unknown format field: nosuch\n"),
        ("flux cancel 12", 1, "flux-cancel: ERROR: ƒD: unknown job id\n"),
        ("flux cancel", 1, "flux-cancel: ERROR: No target jobs were provided\n"),
        ("flux job attach f1234", 1, "flux-job: Failed to attach to f1234: No such job\n"),
        ("flux submit", 1, "flux-submit: ERROR: job command and arguments are missing\n"),
        ("flux submit -N0 true", 1,
         "flux-submit: ERROR: node count must be an integer >= 1 (if set)\n"),
        ("flux submit --urgency=99 true", 1, "[Errno 22] urgency range is [0:31]\n"),
        ("flux submit -q foo true", 1, "[Errno 22] 'foo' is not a valid queue\n"),
        ("flux submit --begin-time=foo true", 1, 'flux-submit: ERROR: Invalid datetime: "foo"\n'),
        ("flux submit --dependency=afterok:ƒ1 true", 1,
         "[Errno 22] dependency: afterok: id ƒ1: job not found\n"),
        ("flux nosuch", 1, "flux: `nosuch' is not a flux command.  See 'flux --help'\n"),
        ("flux kvs get nosuch", 1, "flux-kvs: nosuch: No such file or directory\n"),
        ("flux getattr nosuch", 1, "flux-getattr: nosuch: No such file or directory\n"),
        ("flux queue status nosuch", 1,
         "flux-queue: ERROR: status: 'nosuch' is not a valid queue\n"),
        ("flux job info f12 R", 1, "flux-job: invalid job id\n"),
        ("flux job eventlog f12", 1, "flux-job: job f12 not found\n"),
        ("flux job eventlog nosuch", 1, 'flux-job: error parsing jobid: "nosuch"\n'),
        ("flux submit -t foo true", 1,
         "flux-submit: ERROR: invalid Flux standard duration\n"),
        ("flux submit -n x true", 1,
         "flux-submit: ERROR: --ntasks: invalid int value 'x'\n"),
        ("flux submit --dependency=foo:1 true", 1,
         '[Errno 22] dependency scheme "foo" not supported\n'),
        ("flux queue idle --timeout=foo", 1,
         "flux-queue: ERROR: invalid Flux standard duration\n"),
        ("flux kvs unlink nosuch", 1,
         "flux-kvs: cannot unlink 'nosuch': No such file or directory\n"),
        ("flux kvs sync", 0, ""),
        ("flux resource undrain 1", 1, "flux-resource: ERROR: rank 1 not drained\n"),
        ("flux resource drain 7", 1,
         "flux-resource: ERROR: [Errno 22] idset is out of range\n"),
        ("flux restore /state/x.tar", 1,
         "flux-restore: Please specify a restore target with --checkpoint or --key\n"),
    ],
)  # fmt: skip
async def test_errors_in_the_words_of_real_flux(command: str, code: int, err: str) -> None:
    async with world() as w:
        ran = await w.sh(command)
        assert (ran.code, ran.err) == (code, err)


async def test_an_invalid_job_id_is_a_usage_error() -> None:
    async with world() as w:
        ran = await w.sh("flux jobs nosuch")
        assert ran.code == 2
        assert ran.err.endswith("flux-jobs: error: argument JOBID: invalid JobID value: 'nosuch'\n")


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("", "broker socket /run/flux/local was not found"),
        ("local:///run/flux/nosuch/local", "broker socket /run/flux/nosuch/local was not found"),
    ],
)
async def test_without_a_socket_every_command_says_so(uri: str, reason: str) -> None:
    async with world() as w:
        ran = await w.sh(
            f"export FLUX_URI={uri}; flux jobs; flux queue stop; flux dump -q /state/e.tar; "
            "flux uptime; ls /state"
        )
        assert ran.err.splitlines() == [
            f"flux-jobs: ERROR: Unable to connect to Flux: {reason}",
            f"flux-queue: ERROR: Unable to connect to Flux: {reason}",
            "flux-dump: flux_open: No such file or directory",
            "flux: flux_open: No such file or directory",
        ]
        assert ran.out == ""


async def test_a_dead_broker_refuses_connections() -> None:
    async with world() as w:
        await w.sh("true")
        w.instance.kill()
        ran = await w.sh("flux jobs; flux dump /state/e.tar; flux proxy $FLUX_URI flux jobs")
        assert ran.err.splitlines() == [
            "flux-jobs: ERROR: Unable to connect to Flux: Connection refused",
            "flux-dump: flux_open: Connection refused",
            f"flux-proxy: local://{VIEWLESS}: Connection refused",
        ]


async def test_guests_may_look_but_not_touch() -> None:
    async with world(layout="v1alpha1", owner_uid=1000) as w:
        ran = await plain(
            w,
            "sudo -u nobody flux queue status; sudo -u nobody flux queue stop; "
            "sudo -u nobody flux queue idle; sudo -u nobody flux submit true",
        )
        assert ran.out.startswith("Job submission is enabled\n")
        assert ran.err.splitlines() == [
            "flux-queue: ERROR: start: Request requires owner credentials",
            "flux-queue: ERROR: idle: Request requires owner credentials",
            "[Errno 1] only instance owner can use sign-type=none",
        ]


async def test_named_queues_show_in_every_table() -> None:
    async with world(queues=["batch", "debug"]) as w:
        await w.sh("flux queue start --all; flux submit -q debug --job-name=d sleep 100; sleep 1")
        await w.sh("flux resource drain 0 because; flux queue stop batch")
        ran = await w.sh("flux jobs; flux resource list; flux uptime; flux resource status")
        lines = ran.out.splitlines()
        assert lines[0] == (
            "       JOBID QUEUE    USER     NAME       ST NTASKS NNODES     TIME INFO"
        )
        assert lines[2] == "     STATE QUEUE       NNODES NCORES NGPUS NODELIST"
        assert lines[3] == "      free batch,debug      1      4     0 flux-sample-1"
        assert lines[6].endswith(",  size 2,  1 drained")
        assert lines[-1] == "    draining ✔      1 flux-sample-0"


async def test_a_cut_list_says_so() -> None:
    async with world() as w:
        ran = await w.sh("flux submit --quiet --cc=1-3 true; flux jobs -a -c 2 -no {name}")
        assert ran.out == "true\ntrue\n"
        assert ran.err.startswith("warning: output truncated at 2 jobs.\n")


async def test_running_a_job_shows_its_output_and_takes_over_its_exit_code() -> None:
    async with world() as w:
        ran = await w.sh("flux run sh -c 'echo hi; exit 3'")
        assert ran.code == 3
        assert ran.out == "hi\n"
        assert ran.err == "flux-job: task(s) exited with exit code 3\n"
        ran = await w.sh("flux run -N3 true")
        assert ran.code == 1
        assert "job.exception ƒ" in ran.err
        assert "type=alloc severity=0 unsatisfiable request: need 3 exclusive" in ran.err


async def test_information_about_one_job() -> None:
    async with world() as w:
        job = await w.submit("echo out")
        await w.clock.advance(5)
        ran = await w.sh(f"flux job attach {job.id}; flux job info {job.id} guest.output")
        assert ran.out.startswith("out\n")
        assert '"data":"out\\n"' in ran.out
        ran = await w.sh(f"flux job eventlog {job.id}")
        assert [line.split()[1] for line in ran.out.splitlines()][-2:] == ["free", "clean"]
        ran = await w.sh(f"flux job wait-event -q {job.id} clean; flux job info {job.id} nosuch")
        assert ran.err == "flux-job: nosuch: key not found\n"
        ran = await w.sh(f"flux job urgency {job.id} 3")
        assert ran.err == f"flux-job: {f58_ascii(job.id)}: job is inactive\n"


async def test_resources_and_the_broker() -> None:
    async with world() as w:
        ran = await w.sh("flux resource list; flux resource info; flux resource status")
        assert ran.out.splitlines() == [
            "     STATE NNODES NCORES NGPUS NODELIST",
            "      free      2      8     0 flux-sample-[0-1]",
            " allocated      0      0     0 ",
            "      down      0      0     0 ",
            "2 Nodes, 8 Cores, 0 GPUs",
            "       STATEUP NNODES NODELIST",
            "       avail ✔      2 flux-sample-[0-1]",
        ]
        ran = await w.sh("flux overlay status; flux getattr size; flux getattr hostlist")
        assert ran.out.splitlines() == [
            "0 flux-sample-0: full",
            "└─ 1 flux-sample-1: full",
            "2",
            "flux-sample-[0-1]",
        ]
        ran = await w.sh("flux queue stop -q; flux queue disable -q -m x; flux uptime")
        first, second = ran.out.splitlines()
        assert " run " in first
        assert first.endswith(",  owner root,  depth 0,  size 2")
        assert second == "  submit disabled,  scheduler stopped"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0004, "0s"), (0.0381, "0.038s"), (1, "1.000s"), (17.506, "17.51s"), (60, "1m"),
        (150.7, "2.512m"), (5400, "1.5h"), (90000, "1.042d"), (2592000, "30d"),
    ],
)  # fmt: skip
def test_durations_look_like_flux_standard_durations(seconds: float, text: str) -> None:
    assert fsd(seconds) == text
