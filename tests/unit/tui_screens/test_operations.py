"""Operations: nothing before consent, every step with its read-back, unknown is never success."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from textual.widgets import Button

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.live.actions import SubmitRequest
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations.base import (
    Choices,
    News,
    OperationKind,
    Outcome,
    OutcomeKind,
    Plan,
    Running,
    Step,
    StepEvent,
    StepState,
)
from fluxstate_tui.tui.screens.dialog import ChoiceDialog
from fluxstate_tui.tui.screens.operation.screen import step_rows
from tests.unit.tui_screens.rehearsal import CONSENT, RehearsedActions, RehearsedOperation
from tests.unit.tui_screens.stage import SIZES, SMALL, make_app, screen_text, see, until


@pytest.mark.parametrize("size", SIZES)
async def test_pause_shows_its_plan_its_step_and_what_was_read_back(size: tuple[int, int]) -> None:
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await pilot.press("down", "p")
        await see(pilot, "✓ Stop the queue")
        await see(pilot, "$ flux queue stop --all")
        await see(pilot, "↳ read back: Stop the queue")
        await see(pilot, "✓ Completed")


async def test_p_resumes_a_stopped_queue() -> None:
    actions = RehearsedActions()
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "down")
        await see(pilot, "p resume")
        await pilot.press("p")
        await see(pilot, "✓ Completed")
        assert actions.asked[0][0] == "resume"


async def test_nothing_happens_before_consent_and_the_focus_is_on_cancel() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "s")
        await see(pilot, "Wait until they are done")
        await pilot.press("enter")
        await see(pilot, "Save the queue?")
        assert "○ Stop the queue" in screen_text(app)
        await pilot.press("enter")
        await see(pilot, "done-last-we")
        assert app.services.runs == {}


async def test_what_was_decided_about_running_jobs_reaches_the_plan() -> None:
    actions = RehearsedActions()
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "s", "down", "down", "enter")
        await see(pilot, "Save the queue?")
        assert actions.asked == [("save", Choices(running=Running.CANCEL))]


async def test_delete_offers_save_first_and_wants_the_name_typed() -> None:
    actions = RehearsedActions()
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "d")
        await see(pilot, "Save first, then delete")
        await pilot.press("enter")
        await see(pilot, "Type flux-sample to go ahead.")
        assert actions.asked == [("delete", Choices(save_first=True))]
        await pilot.press(*"flux", "enter")
        await pilot.pause()
        assert app.services.runs == {}
        await pilot.press("minus", *"sample", "enter")
        await see(pilot, "✓ Completed")


async def test_escape_never_deletes() -> None:
    actions = RehearsedActions()
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "d", "escape")
        await pilot.pause()
        assert actions.asked == []
        assert len(app.screen_stack) == 1


async def test_restore_previews_the_archive_and_the_size_that_are_chosen() -> None:
    actions = RehearsedActions()
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "r")
        await see(pilot, "20261121-201500-flux-sample onto 4 nodes:")
        await pilot.press("plus")
        await see(pilot, "onto 5 nodes:")
        await pilot.press("down")
        await see(pilot, "20261121-174210-flux-sample onto 5 nodes:")
        await pilot.press("enter")
        await see(pilot, "Restore the archive?")
        kind, choices = actions.asked[-1]
        assert kind == "restore"
        assert isinstance(choices, Choices)
        assert (choices.archive, choices.size) == ("20261121-174210-flux-sample", 5)
        assert choices.manifest is not None
        assert choices.manifest_was_seen


async def test_letters_in_the_number_of_nodes_are_seen_and_restore_nothing() -> None:
    actions = RehearsedActions()
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "r")
        await see(pilot, "onto 4 nodes:")
        await pilot.press("tab", "end", *"abc", "enter")
        await see(pilot, "4abc")
        await see(pilot, "Write how many nodes it shall have: 1 or more.")
        assert "restore" not in {kind for kind, _ in actions.asked}


async def test_an_operation_goes_on_when_its_screen_is_left_and_can_be_seen_again() -> None:
    actions = RehearsedActions()
    actions.gate = asyncio.Event()
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await pilot.press("down", "p")
        await see(pilot, "▶ Stop the queue")
        await pilot.press("escape")
        await see(pilot, "pause flux-sample: step 1 of 1")
        await pilot.press("p")
        await see(pilot, "› pause")
        await pilot.press("escape")
        actions.gate.set()
        await see(pilot, "Completed: pause is complete.")


async def test_a_running_operation_can_be_cancelled() -> None:
    actions = RehearsedActions()
    actions.gate = asyncio.Event()
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "p")
        await see(pilot, "▶ Stop the queue")
        await pilot.press("c")
        await see(pilot, "⊘ Cancelled")


async def test_quitting_while_an_operation_runs_asks_and_staying_is_the_default() -> None:
    actions = RehearsedActions()
    actions.gate = asyncio.Event()
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "p")
        await see(pilot, "▶ Stop the queue")
        await pilot.press("q")
        await see(pilot, "An operation is running")
        await pilot.press("enter")
        await see(pilot, "▶ Stop the queue")
        await pilot.press("q", "down", "enter")
        await pilot.pause()
        assert app.is_running
        actions.gate.set()
        await until(pilot, lambda: not app.is_running)
    outcome = app.services.runs["uid-flux-sample"].outcome
    assert outcome is not None
    assert outcome.kind is OutcomeKind.COMPLETED


async def test_the_connection_is_not_taken_away_from_an_operation_that_runs_over_it() -> None:
    connections = []

    async def connect() -> None:
        connections.append("opened")
        await asyncio.Event().wait()

    actions = RehearsedActions()
    actions.gate = asyncio.Event()
    app = make_app(actions=actions, start=connect)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: bool(connections))
        await pilot.press("down", "p")
        await see(pilot, "▶ Stop the queue")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: bool(app._notifications))
        (said,) = app._notifications
        assert "pause flux-sample works over this connection" in said.message
        assert len(connections) == 1
        actions.gate.set()
        await until(pilot, lambda: app.services.runs["uid-flux-sample"].outcome is not None)
        await pilot.press("ctrl+r")
        await until(pilot, lambda: len(connections) == 2)


async def test_an_app_that_ends_anyhow_cancels_what_runs_and_waits_for_it() -> None:
    actions = RehearsedActions()
    actions.gate = asyncio.Event()
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "p")
        await see(pilot, "▶ Stop the queue")
    outcome = app.services.runs["uid-flux-sample"].outcome
    assert outcome is not None
    assert outcome.kind is OutcomeKind.CANCELLED


async def test_a_refusal_is_shown_with_what_is_safe_and_what_to_do() -> None:
    actions = RehearsedActions()
    actions.refusal = FluxstateError(
        "flux-sample is locked by you@there", safe="Nothing was done.", advice="Wait for it."
    )
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "p")
        await see(pilot, "✗ pause is not possible  flux-sample is locked by you@there")
        await see(pilot, "safe  Nothing was done.")
        await see(pilot, "do    Wait for it.")


async def test_a_bug_in_an_operation_is_unknown_never_success(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def broken(self: RehearsedOperation, progress: Callable[[StepEvent], None]) -> Outcome:
        raise ZeroDivisionError("[/foo]")

    monkeypatch.setattr(RehearsedOperation, "run", broken)
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "p")
        await see(pilot, "? Unknown")
        assert app.services.runs["uid-flux-sample"].outcome is not None
        assert app.services.runs["uid-flux-sample"].outcome.kind is OutcomeKind.UNKNOWN


async def test_submit_sends_words_not_a_shell_line() -> None:
    actions = RehearsedActions()
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "n")
        await see(pilot, "Submit to flux-sample")
        await pilot.press(*"echo ", "'", *"a b", "'", "tab", "4", "enter")
        await until(pilot, lambda: bool(actions.asked))
        assert actions.asked == [("submit", SubmitRequest(("echo", "a b"), 4, None, 1))]


async def test_the_tutorials_loop_is_ticked_by_a_mark_not_by_colour_alone() -> None:
    actions = RehearsedActions()
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "n")
        await see(pilot, "[ ] the tutorials' loop")
        await pilot.press("shift+tab", "space")
        await see(pilot, "[✓] the tutorials' loop")
        await pilot.press("enter")
        await until(pilot, lambda: bool(actions.asked))
        assert actions.asked == [("submit", SubmitRequest(tutorial=True))]


async def test_more_than_a_thousand_copies_are_a_question_whose_default_is_no() -> None:
    actions = RehearsedActions()
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "n", *"true", *["tab"] * 8, *"1000000", "enter")
        await see(pilot, "Submit 1,000,000 jobs to flux-sample?")
        await see(pilot, "every save")
        await pilot.press("enter")
        await until(pilot, lambda: "every save" not in screen_text(app))
        assert actions.asked == []
        await pilot.press("enter")
        await see(pilot, "every save")
        await pilot.press("down", "enter")
        await until(pilot, lambda: bool(actions.asked))


async def test_escape_stops_a_submit_and_says_how_many_were_submitted() -> None:
    actions = RehearsedActions()
    actions.most = 1234
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "n", *"true", *["tab"] * 8, *"1000000", "enter")
        await see(pilot, "every save")
        await pilot.press("down", "enter")
        await see(pilot, " of 1,000,000 ")
        await see(pilot, "esc stop")
        await pilot.press("escape")
        await see(pilot, "of 1,000,000 jobs were submitted: ")
        await see(pilot, "were not sent")
        assert "1,234 of 1,000,000 jobs were submitted" in screen_text(app)
        await see(pilot, "esc cancel")
        await pilot.press("escape")
        await until(pilot, lambda: "Submit to" not in screen_text(app))


async def test_who_quits_while_jobs_are_submitted_ends_what_is_on_its_way_first() -> None:
    actions = RehearsedActions()
    actions.most = 1234
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "n", *"true", *["tab"] * 8, *"1000000", "enter")
        await see(pilot, "every save")
        await pilot.press("down", "enter")
        await see(pilot, " of 1,000,000 ")
    (run,) = app.services.courses
    assert run.course.stopping
    assert not run.running


async def test_a_mistake_in_the_submit_dialog_is_explained_there() -> None:
    actions = RehearsedActions()
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "n", "enter")
        await see(pilot, "Write a command")
        await pilot.press("'", "a", "enter")
        await see(pilot, "cannot be read")
        actions.refusal = FluxstateError("flux: Invalid jobspec [/foo]")
        await pilot.press("'", "enter")
        await see(pilot, "flux: Invalid jobspec [/foo]")


async def test_the_tutorials_loop_is_one_choice() -> None:
    actions = RehearsedActions()
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "n", *["tab"] * 9, "space", "enter")
        await until(pilot, lambda: bool(actions.asked))
        assert actions.asked == [("submit", SubmitRequest(tutorial=True))]


def test_a_step_that_was_cancelled_is_not_called_failed_and_what_is_skipped_is_short() -> None:
    step, other = (
        Step("idle", "Wait for running jobs", "flux queue idle"),
        Step("dump", "Dump", "x"),
    )
    plan = Plan(
        OperationKind.SAVE, ClusterRef("default", "a", "u"), (step, other), (), CONSENT["save"]
    )
    said = {
        "idle": StepEvent("idle", StepState.FAILED, 0.0, news=News.CANCELLED),
        "dump": StepEvent("dump", StepState.SKIPPED, 0.0),
    }
    lines = ["".join(text for text, _ in row) for row in step_rows(plan, said)]
    assert lines == [
        "⊘ Wait for running jobs  cancelled",
        "    $ flux queue idle",
        "– Dump  skipped",
    ]


async def test_a_wrong_name_is_told_and_nothing_starts() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "d")
        await see(pilot, "▸ Save first, then delete")
        await pilot.press("enter")
        await see(pilot, "type it here")
        await pilot.press(*"nonsense", "enter")
        await see(pilot, "That is not flux-sample: nothing was done.")
        assert app.services.runs == {}


async def test_the_end_of_an_outcome_is_in_sight_however_its_lines_wrap() -> None:
    actions = RehearsedActions()
    app = make_app(actions=actions)
    async with app.run_test(size=(60, 16)) as pilot:
        await pilot.press("down", "s", "enter")
        await see(pilot, "Save the queue?")
        await pilot.press("right", "enter")
        await see(pilot, "✓ Completed")
        await see(pilot, "0 lost.")


async def test_what_ended_badly_while_nobody_looked_stays_on_the_list_until_it_is_seen() -> None:
    actions = RehearsedActions()
    actions.gate = asyncio.Event()
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "p")
        await see(pilot, "▶ Stop the queue")
        await pilot.press("escape")
        app.services.runs["uid-flux-sample"].cancel()
        await see(pilot, "▲ pause flux-sample: Cancelled, p shows why")
        await pilot.press("p")
        await see(pilot, "⊘ Cancelled")
        await pilot.press("escape")
        await until(pilot, lambda: "shows why" not in screen_text(app))


async def test_an_outcome_that_is_on_the_screen_is_not_told_again() -> None:
    actions = RehearsedActions()
    actions.gate = asyncio.Event()
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await pilot.press("down", "p")
        await see(pilot, "▶ Stop the queue")
        await pilot.press("escape", "p")
        await see(pilot, "› pause")
        actions.gate.set()
        await see(pilot, "✓ Completed")
        assert "Completed: pause is complete." not in screen_text(app)


async def test_two_answers_of_one_burst_are_one_answer() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "enter", "d")
        await see(pilot, "▸ Save first, then delete")
        dialog = app.screen
        assert isinstance(dialog, ChoiceDialog)
        dialog.action_choose()
        dialog.action_choose()
        await see(pilot, "Type flux-sample to go ahead.")
        no = app.screen.query_one("#no", Button)
        no.press()
        no.press()
        await see(pilot, "[1 Queue]")
        assert len(app.screen_stack) == 2
