"""Who gets which cores, when, and who never will."""

from __future__ import annotations

import pytest

from fluxstate_tui.flux.job import JobResult, JobState
from fluxstate_tui.flux.jobspec import Counts
from fluxstate_tui.flux.resources import Share, make_alloc
from fluxstate_tui.sim.flux.scheduler import Pool, UnsatisfiableError, resource_summary
from tests.unit.sim_flux.world import HOSTS, events, world


def slots(count: int, size: int = 1) -> Counts:
    return Counts(ntasks=count, ncores=count * size, nslots=count, slot_size=size)


def nodes(count: int, per_node: int = 1, *, exclusive: bool = False) -> Counts:
    return Counts(
        ntasks=count * per_node, nnodes=count, nslots=count * per_node, slot_size=1,
        exclusive=exclusive,
    )  # fmt: skip


def summary(shares: list[Share] | None) -> str:
    assert shares is not None
    return resource_summary(make_alloc(shares))


def test_jobs_are_spread_over_the_least_busy_nodes() -> None:
    pool = Pool(HOSTS, 4)
    placed = [summary(pool.allocate(slots(1))) for _ in range(4)]
    assert placed == ["rank0/core0", "rank1/core0", "rank0/core1", "rank1/core1"]


def test_slots_of_one_job_stay_together_while_they_fit() -> None:
    assert summary(Pool(HOSTS, 4).allocate(slots(2))) == "rank0/core[0-1]"
    assert summary(Pool(HOSTS, 4).allocate(slots(6))) == "rank0/core[0-3] rank1/core[0-1]"


def test_nodes_are_taken_with_their_tasks_spread_evenly() -> None:
    pool = Pool(HOSTS, 4)
    pool.allocate(slots(1))
    assert summary(pool.allocate(nodes(2))) == "rank0/core1 rank1/core0"
    assert summary(Pool(HOSTS, 4).allocate(nodes(2, 2))) == "rank[0-1]/core[0-1]"


def test_an_exclusive_job_takes_whole_idle_nodes() -> None:
    pool = Pool(HOSTS, 4)
    assert summary(pool.allocate(nodes(1, exclusive=True))) == "rank0/core[0-3]"
    pool.allocate(slots(1))
    assert pool.allocate(nodes(1, exclusive=True)) is None


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        (nodes(9, exclusive=True), "need 9 exclusive node(s), only 2 eligible"),
        (nodes(3), "need 3 node(s) with 1 cores each, only 2 eligible"),
        (nodes(1, 5), "need 1 node(s) with 5 cores each, only 0 eligible"),
        (slots(9), "need 9 slot(s) of 1 core(s), only 8 such slot(s) available (total cores: 8)"),
        (
            slots(1, 5),
            "need 1 slot(s) of 5 core(s), only 0 such slot(s) available (total cores: 8)",
        ),
    ],
)
def test_what_can_never_run_is_refused_in_flux_words(counts: Counts, text: str) -> None:
    with pytest.raises(UnsatisfiableError, match="unsatisfiable request") as caught:
        Pool(HOSTS, 4).check(counts)
    assert str(caught.value) == f"unsatisfiable request: {text}"


async def test_a_job_that_has_to_wait_stops_those_behind_it() -> None:
    async with world(size=1, cores_per_node=2) as w:
        await w.sh("flux submit --job-name=running sleep 100")
        await w.sh("sleep 1; flux submit --job-name=wide -n2 sleep 1")
        await w.sh("flux submit --job-name=behind sleep 1; sleep 5")
        assert w.names(JobState.SCHED) == {"wide", "behind"}


async def test_a_drained_node_gets_no_new_jobs_until_it_is_back() -> None:
    async with world(cores_per_node=1) as w:
        await w.sh("flux resource drain flux-sample-0 'bad disk'")
        await w.sh("flux submit --job-name=a sleep 50; flux submit --job-name=b sleep 50; sleep 1")
        assert w.job("a").freeze().nodelist == "flux-sample-1"
        assert w.job("b").state is JobState.SCHED
        await w.sh("flux resource undrain flux-sample-0; sleep 1")
        assert w.job("b").freeze().nodelist == "flux-sample-0"


async def test_a_lost_rank_takes_its_jobs_along() -> None:
    async with world() as w:
        await w.sh("flux submit --job-name=wide -N2 sleep 500")
        await w.sh("flux submit --job-name=other sleep 500; sleep 1")
        w.instance.rank_lost(1)
        await w.clock.advance(5)
        wide = w.job("wide")
        assert wide.freeze().result is JobResult.FAILED
        exception = wide.freeze().exception
        assert exception is not None
        assert exception.type == "node-failure"
        ran = await w.sh(
            "flux resource list -no '{state} {nnodes} {nodelist}'; flux overlay status"
        )
        assert "down 1 flux-sample-1" in ran.out
        assert "1 flux-sample-1: lost" in ran.out


async def test_a_rank_that_comes_later_is_used_then() -> None:
    async with world(size=3, cores_per_node=1, quorum=1, wait="run") as w:
        await w.sh("flux submit --cc=1-3 sleep 500; sleep 1")
        running = [job for job in w.instance.jobs.jobs.values() if job.state is JobState.RUN]
        assert {job.freeze().nodelist for job in running} == {
            "flux-sample-0", "flux-sample-1", "flux-sample-2",
        }  # fmt: skip


async def test_cores_are_free_again_after_the_end() -> None:
    async with world(size=1, cores_per_node=1) as w:
        await w.sh("flux submit --cc=1-5 true; flux queue drain")
        logs = [events(job)[-1] for job in w.instance.jobs.jobs.values()]
        assert logs == ["clean"] * 5
        assert w.instance.pool.nodes[0].free == {0}


async def test_what_a_job_requires_is_honoured_and_what_no_node_has_fails_it() -> None:
    async with world() as w:
        await w.sh("flux submit --job-name=here --requires=host:flux-sample-1 sleep 1000")
        await w.sh("flux submit --job-name=nowhere --requires=host:nowhere true")
        await w.sh("flux submit --job-name=gpu --requires=gpu true")
        await w.sh("flux submit --job-name=other --requires=-rank:0 sleep 1000; sleep 2")
        assert w.job("here").freeze().nodelist == "flux-sample-1"
        assert w.job("other").freeze().ranks == "1"
        for name in ("nowhere", "gpu"):
            exception = w.job(name).freeze().exception
            assert exception is not None
            assert exception.type == "alloc"
            assert exception.note.startswith("unsatisfiable request")
        refused = await w.sh("flux submit --requires='a|b' true")
        assert refused.code != 0
        assert "not simulated" in refused.err
