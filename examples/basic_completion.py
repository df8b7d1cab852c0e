"""The first tutorial as a script: jobs end, and a second MiniCluster has their history.

    python examples/basic_completion.py examples/minicluster.yaml

Each step is read back; what is not as it should be ends the script before anything is deleted.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import aclosing

from fluxstate_tui import Client, FluxstateError, JobTable, PlannedOperation, connect


async def main(manifest: str, namespace: str | None) -> None:
    async with connect(namespace=namespace) as client:
        name = (await client.create(manifest)).name
        check(not await client.jobs(name), "its queue is not empty: an archive was armed")

        ids: list[int] = []
        for seconds in range(1, 6):
            ids += await client.submit(name, ["sleep", str(seconds)])
            ids += await client.submit(name, ["whoami"])
        await until_done(client, name)
        jobs = await client.jobs(name)
        check({job["id"] for job in jobs} == set(ids), "not every job is there")
        check({job["result"] for job in jobs} == {"COMPLETED"}, "a job failed")

        await carry_out(await client.save(name))
        await carry_out(await client.delete(name))
        # Nothing that runs has the volume now, so a short-lived helper pod reads the archive.
        await carry_out(await client.restore(name, helper_pod=True))

        after = await client.jobs(name)
        check(history(after) == history(jobs), "the history is another one")
        print(f"{len(after)} jobs are there again, each as it was")
        await carry_out(await client.delete(name, save_first=True))


def history(jobs: JobTable) -> list[dict[str, object]]:
    """All of each job but the scheduler's annotations, which Flux does not restore."""
    return [{key: job[key] for key in job if key != "annotations"} for job in jobs]


async def until_done(client: Client, name: str) -> None:
    async with asyncio.timeout(600), aclosing(client.watch(name)) as states:
        async for state in states:
            print(f"  {state.phase.value}: {state.pending} pending, {state.running} running")
            if (state.pending, state.running) == (0, 0):
                return


async def carry_out(operation: PlannedOperation) -> None:
    """Show the plan, then do it. A consent that asks for a word (a loss) is not given here."""
    print(*operation.preview, sep="\n")
    outcome = await operation.run(progress=lambda step: print(f"  {step.step}: {step.read_back}"))
    print(f"{outcome.kind.value}: {outcome.reason}")


def check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise FluxstateError(otherwise, advice="Look at it before anything is deleted.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description="Basic completion, from one MiniCluster to the next."
    )
    parser.add_argument("manifest", help="the MiniCluster to create")
    parser.add_argument("-n", "--namespace", help="default: the context's")
    args = parser.parse_args()
    try:
        asyncio.run(main(args.manifest, args.namespace))
    except FluxstateError as error:
        sys.exit(" ".join(filter(None, (error.message, error.safe, error.advice))))
