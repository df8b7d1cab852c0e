"""The second tutorial as a script: a queue is paused, and goes on in a MiniCluster of another size.

    python examples/pending_jobs.py examples/minicluster.yaml --size 3

Each step is read back; what is not as it should be ends the script before anything is deleted.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import aclosing

from fluxstate_tui import Client, FluxstateError, PlannedOperation, connect


async def main(manifest: str, namespace: str | None, size: int) -> None:
    async with connect(namespace=namespace) as client:
        name = (await client.create(manifest)).name
        check(not await client.jobs(name), "its queue is not empty: an archive was armed")

        ids = [*await client.submit(name, ["sleep", "5"], copies=2)]
        await carry_out(await client.pause(name))
        for seconds in range(1, 6):
            ids += await client.submit(name, ["sleep", str(seconds)])
            ids += await client.submit(name, ["whoami"])
        waiting = {job["id"] for job in await client.jobs(name) if job["state"] == "SCHED"}
        check(len(waiting) >= 10, "the queue was not paused")

        # Waits for what runs, dumps, reads the archive out, and compares it with every job.
        await carry_out(await client.save(name, keep_paused=True))
        (newest, *_) = await client.archives(name)
        table = await client.read(name, newest.id)
        check(table.complete, "the archive is damaged")
        check({job["id"] for job in table.jobs} == set(ids), "the archive has not every job")

        await carry_out(await client.delete(name))
        await carry_out(await client.restore(name, size=size, helper_pod=True))
        await until_done(client, name)
        jobs = {job["id"]: job for job in await client.jobs(name)}
        check(jobs.keys() == set(ids), "not every job has arrived")
        check({job["result"] for job in jobs.values()} == {"COMPLETED"}, "a job failed")
        print(f"{len(waiting)} jobs waited, and ran on {size} pods; {len(jobs)} are accounted for")

        await carry_out(await client.delete(name, save_first=True))


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
        description="Pending jobs, onto a MiniCluster of another size."
    )
    parser.add_argument("manifest", help="the MiniCluster to create")
    parser.add_argument("-n", "--namespace", help="default: the context's")
    parser.add_argument("--size", type=int, default=3, help="pods of the second one (default 3)")
    args = parser.parse_args()
    try:
        asyncio.run(main(args.manifest, args.namespace, args.size))
    except FluxstateError as error:
        sys.exit(" ".join(filter(None, (error.message, error.safe, error.advice))))
