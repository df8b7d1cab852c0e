"""flux dump: the layout that it writes, and every way in which it fails."""

from __future__ import annotations

import pytest

from fluxstate_tui.archive.reader import read_archive
from fluxstate_tui.sim.files import Volume
from fluxstate_tui.sim.flux.instance import FluxInstance
from fluxstate_tui.sim.machine import Collected
from tests.unit.sim_flux.world import VIEW, world

LAYOUT = ["J", "R", "eventlog", "jobspec"]


def missing(topic: str) -> str:
    """What is said while rc1 has not loaded a service."""
    return f"No service matching {topic} is registered"


async def test_an_archive_has_the_entries_of_a_real_one() -> None:
    async with world() as w:
        await w.sh("flux submit whoami; sleep 5; flux dump -q /state/a.tar.gz")
        ran = await w.sh("tar tzf /state/a.tar.gz")
        names = ran.out.split()
        folder = names[3].rpartition("/")[0]
        assert names == [
            *("admin/eventlog", "resource/R", "resource/eventlog"),
            *(f"{folder}/{name}" for name in LAYOUT),
            *(f"{folder}/guest/{name}" for name in ("input", "output", "exec/eventlog")),
        ]


async def test_an_empty_instance_has_three_entries() -> None:
    async with world() as w:
        ran = await w.sh("flux dump -q /state/e.tar.gz; tar tzf /state/e.tar.gz | wc -l")
        assert ran.out == "3\n"


async def test_a_running_jobs_output_is_only_a_dangling_link() -> None:
    async with world() as w:
        job = await w.submit("sleep 100")
        await w.sh("sleep 2; flux dump -q /state/r.tar")
        archive = read_archive(w.files.read("/state/r.tar"))
        assert archive.jobs[0].job.state.name == "RUN"
        ran = await w.sh("tar tvf /state/r.tar | grep ^l")
        assert ran.out.rstrip().endswith(f"guest -> job-{job.id}::.")


@pytest.mark.parametrize("suffix", [".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".zip"])
async def test_the_suffix_decides_the_format(suffix: str) -> None:
    async with world() as w:
        await w.sh(f"flux submit true; sleep 3; flux dump -q '/state/with space{suffix}'")
        assert len(read_archive(w.files.read(f"/state/with space{suffix}")).jobs) == 1


@pytest.mark.parametrize("name", [".a.tar.gz.tmp", "A.TAR.GZ", "foo.bar", "foo"])
async def test_other_suffixes_are_refused_and_nothing_is_written(name: str) -> None:
    async with world() as w:
        ran = await w.sh(f"flux dump -q /state/{name}")
        assert (ran.code, ran.err) == (1, f"flux-dump: No such format '/state/{name}'\n")
        assert not w.files.exists(f"/state/{name}")


@pytest.mark.parametrize("path", ["/nonexistent/dir/a.tar.gz", "/state/folder.tar.gz"])
async def test_a_path_that_cannot_be_opened(path: str) -> None:
    async with world() as w:
        ran = await w.sh(f"mkdir -p /state/folder.tar.gz; flux dump -q {path}")
        assert (ran.code, ran.err) == (1, f"flux-dump: Failed to open '{path}'\n")


async def test_a_full_disk_leaves_a_cut_file_where_a_good_one_was() -> None:
    async with world(state_volume=Volume("small", capacity=8192)) as w:
        await w.sh("flux dump -q /state/good.tar.gz; flux submit --cc=1-60 true; flux queue drain")
        assert not read_archive(w.files.read("/state/good.tar.gz")).jobs
        ran = await w.sh("flux dump -q /state/good.tar.gz; echo rc=$?; gzip -t /state/good.tar.gz")
        assert "rc=1\n" in ran.out
        assert "flux-dump: Write error\n" in ran.err
        assert "gzip: /state/good.tar.gz: unexpected end of file" in ran.err
        assert len(w.files.read("/state/good.tar.gz")) == 8192


async def test_a_killed_dump_leaves_zero_bytes() -> None:
    async with world() as w:
        await w.sh("flux submit --cc=1-120 --setattr=system.exec.test.run_duration=0.1s true")
        ran = await w.sh(
            "flux dump -q /state/k.tar.gz; timeout -s KILL 1 flux dump /state/k.tar.gz"
        )
        assert ran.code == 137
        assert w.files.read("/state/k.tar.gz") == b""


async def test_an_injected_failure_cuts_the_dump() -> None:
    async with world() as w:
        w.instance.faults.dump_error = "Write error"
        w.instance.faults.dump_bytes = 100
        ran = await w.sh("flux dump -q /state/x.tar.gz")
        assert (ran.code, ran.err) == (1, "flux-dump: Write error\n")
        assert len(w.files.read("/state/x.tar.gz")) == 100


async def test_before_the_kvs_is_there_a_dump_fails_and_has_emptied_its_file() -> None:
    async with world() as w:
        w.files.write("/state/a.tar.gz", b"precious")
        starting = FluxInstance(w.clock, ["flux-sample-0"])
        starting.set_state("init")
        w.machine.broker = lambda: starting
        ran = await w.sh("flux dump -q /state/a.tar.gz; flux uptime; flux jobs; flux queue status")
        assert ran.err.splitlines() == [
            f"flux-dump: error fetching current KVS root: {missing('kvs.getroot')}",
            f"flux-jobs: ERROR: {missing('job-list.list')}",
            f"flux-queue: ERROR: list: {missing('job-manager.queue-list')}",
        ]
        assert w.files.read("/state/a.tar.gz") == b""
        assert " init " in ran.out
        await starting.close()


async def test_a_guest_may_not_dump() -> None:
    async with world(layout="v1alpha1", owner_uid=1000) as w:
        io = Collected()
        argv = ["sudo", "-u", "nobody", "flux", "dump", "-q", "/state/g.tar.gz"]
        assert await w.clock.run(w.machine.run(argv, io)) == 1
        assert io.stderr == b"flux-dump: error fetching current KVS root: Operation not permitted\n"
        assert w.files.read("/state/g.tar.gz") == b""


async def test_a_dump_to_standard_output_is_a_plain_tar() -> None:
    async with world() as w:
        io = Collected()
        script = VIEW + "flux submit true; sleep 2; flux dump -q - > /tmp/o.tar; cat /tmp/o.tar"
        await w.clock.run(w.machine.run(["bash", "-c", script], io))
        assert len(read_archive(w.files.read("/tmp/o.tar")).jobs) == 1
