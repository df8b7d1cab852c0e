"""What a job waits for of another one is known by its kind and the job."""

from __future__ import annotations

import pytest

from fluxstate_tui.flux.dependency import After, Dependency, on_a_job
from fluxstate_tui.flux.jobid import f58


@pytest.mark.parametrize("after", list(After))
def test_a_dependency_on_a_job_is_taken_apart(after: After) -> None:
    text = f"{after.value}={f58(8)}"
    assert on_a_job(text) == Dependency(after, 8, text)


@pytest.mark.parametrize("value", ["", "ƒ", "no job", "-1", "ƒ" + "z" * 30])
def test_what_is_no_job_has_no_target(value: str) -> None:
    assert on_a_job(f"after-finish={value}") == Dependency(
        After.FINISH, None, f"after-finish={value}"
    )


@pytest.mark.parametrize("text", ["begin-time=1795296000", "singleton", "after", "", "=ƒ8"])
def test_what_waits_for_no_job_is_none(text: str) -> None:
    assert on_a_job(text) is None
