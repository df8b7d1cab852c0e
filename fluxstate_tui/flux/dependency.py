"""What a job waits for of another job, as Flux's dependency plugin describes it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from fluxstate_tui.flux.jobid import parse_job_id


class After(Enum):
    """When the other job lets this one go, by the words of its description."""

    START = "after-start"
    SUCCESS = "after-success"
    FAILURE = "after-failure"
    FINISH = "after-finish"


@dataclass(frozen=True, slots=True)
class Dependency:
    """On the job `target`, None if what stands there is no job id. `text` is the description."""

    after: After
    target: int | None
    text: str


_AFTER = {one.value: one for one in After}


def on_a_job(description: str) -> Dependency | None:
    """`after-success=ƒ2Kf9` in its parts; None for what waits for no job, such as a time."""
    word, _, value = description.partition("=")
    after = _AFTER.get(word)
    if after is None:
        return None
    try:
        return Dependency(after, parse_job_id(value), description)
    except ValueError:
        return Dependency(after, None, description)
