"""The part of flux.job that the remote program uses."""

from __future__ import annotations

import json

from flux import Flux, Future  # type: ignore[import-not-found, unused-ignore]


def submit_async(handle: Flux, jobspec: str, urgency: int = 16) -> Future:
    return handle.rpc("job-ingest.submit", {"jobspec": json.loads(jobspec), "urgency": urgency})
