"""Operations whose program was killed: one dialog after the other, never without being asked."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

from textual.app import App

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.formatting import plural
from fluxstate_tui.live.actions import Interrupted
from fluxstate_tui.operations.base import Choices
from fluxstate_tui.tui.screens.dialog import Choice, ChoiceDialog
from fluxstate_tui.tui.screens.services import Services
from fluxstate_tui.tui.widgets.inputs import in_background
from fluxstate_tui.tui.widgets.lines import Part


class Answer(Enum):
    """What to do about one of them."""

    LATER = "later"
    FINISH = "finish"
    CLOSE = "close"


async def tell_about_interrupted(services: Services) -> None:
    """At the start: say that there are some, and which key shows them."""
    try:
        found = await services.actions.interrupted()
    except FluxstateError:
        return  # that there is no connection is said elsewhere
    if found:
        names = ", ".join(f"{one.operation} {one.ref.name}" for one in found[:3])
        services.tell(
            f"{names}. i shows what was left and how to finish.",
            f"{plural(len(found), 'operation')} interrupted",
            "warning",
        )


async def ask_about_interrupted(app: App[Any], services: Services) -> None:
    """Look at the world again, then ask about one after the other."""
    try:
        found = await services.actions.interrupted()
    except FluxstateError as error:
        services.tell(error.message, "Interrupted operations", "error")
        return
    if not found:
        services.tell("No operation was interrupted.", "", "information")
    _ask(app, services, found)


def _ask(app: App[Any], services: Services, found: Sequence[Interrupted]) -> None:
    if not found:
        return
    first, *rest = found

    def decided(answer: Answer | None) -> None:
        if answer is Answer.FINISH and first.next:
            from fluxstate_tui.tui.screens.operation.start import operation_screen

            app.push_screen(
                operation_screen(services, first.next, first.ref, Choices(archive=first.archive))
            )
            return  # the others are asked about when this one is done: with the same key
        if answer is Answer.CLOSE:
            in_background(app, lambda: _close(services, first), f"close {first.id}")
        if answer is not None:
            _ask(app, services, rest)

    app.push_screen(_dialog(first), decided)


async def _close(services: Services, one: Interrupted) -> None:
    try:
        await services.actions.close_interrupted(one.id)
    except FluxstateError as error:
        services.tell(error.message, f"{one.operation} {one.ref.name}", "error")


def _dialog(one: Interrupted) -> ChoiceDialog[Answer]:
    lines: list[list[Part]] = [[(said, "")] for said in one.says]
    choices = [Choice(Answer.LATER, "Not now", "it is told again at the next start")]
    if one.next:
        hint = "the plan is shown first"
        choices.insert(0, Choice(Answer.FINISH, f"Put it right: {one.next}", hint))
    close = "what is left stays as it is" if one.next else "there is nothing left to do"
    choices.append(Choice(Answer.CLOSE, "Do not show it again", close))
    return ChoiceDialog(f"Interrupted: {one.operation} {one.ref.name}", lines, choices)
