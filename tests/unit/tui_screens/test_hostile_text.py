"""Hostile text in every field looks like itself on every screen, and breaks none."""

from __future__ import annotations

from typing import Any

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.flux.eventlog import Event
from fluxstate_tui.flux.job import JobException, JobState
from fluxstate_tui.live import events as e
from fluxstate_tui.live.actions import JobDetail, OutputLine
from fluxstate_tui.live.freshness import Freshness
from fluxstate_tui.tui.text import visible
from tests.unit.tui_screens import feed
from tests.unit.tui_screens.poison import poisoned
from tests.unit.tui_screens.rehearsal import RehearsedActions
from tests.unit.tui_screens.stage import LARGE, SMALL, make_app, screen_text, until

TEXTS = {
    "markup": "[/foo][bold]x[@click=app.quit]y[/] \\[z] {a} %s $text-error",
    "controls": "\x1b[2J\x1b]0;t\x07\r\n\t\x00\x7f\x9b31m\u2028\u202e\u2066rtl אבג \ud800\udfff",
    "emoji": "👩‍🚀👨‍👩‍👧‍👦🏳️‍🌈 日本語 e\u0301\u0301\u0301 \U000e0041 \ufe0f\u200b\u200d 🇩🇪",
    "long": "[/" + "ab" * 500_000,
}
NOW = feed.NOW


def hostile_world(text: str) -> list[e.StoreEvent]:
    """A busy MiniCluster of which every text is hostile, and what is told about it."""
    wrong = {"annotations": {"sched": {"reason_pending": "x"}}, "dependencies": ("x",)}
    over = JobException("x", 0, "x")
    listed = (
        feed.job(1, JobState.INACTIVE, exception=over, project="p", bank="b"),
        feed.job(2, JobState.RUN),
        feed.job(3, JobState.DEPEND, **wrong),
        feed.job(4, JobState.SCHED, **wrong, queue="x"),
    )
    who = feed.ref("flux-sample")
    told: list[e.StoreEvent] = [
        *feed.world()[:4],
        *feed.running_cluster("flux-sample", 4, listed, started=False),
        e.CatalogSeen(who, feed.catalog(), True, NOW),
        e.KubeEventSeen(feed.kube_event(1, "flux-sample", "Pulled", "x", "Warning"), NOW),
        e.GuardSeen(who, None, None, "x", NOW),
        e.SourceChanged(f"queue:{who.uid}", Freshness.STALE, "x", NOW),
        e.SourceChanged("pods", Freshness.FORBIDDEN, "x", NOW),
    ]
    return [poisoned(event, text) for event in told]


def hostile_actions(text: str) -> RehearsedActions:
    """What Flux says of a job, and what it says instead of doing something."""
    actions = RehearsedActions()
    context = {"note": text, "type": text, "severity": 0, text[:100]: text}
    actions.detail = JobDetail(
        events=tuple(
            Event(NOW - 10 + n, name, context)
            for n, name in enumerate(("submit", "validate", "depend", text[:1000], "exception"))
        ),
        jobspec={"tasks": [{"command": [text, text]}], "attributes": {"system": {"cwd": text}}},
        output=(OutputLine("stdout", "0", text), OutputLine("stderr", text[:50], text)),
        trouble=text,
        places=(text,),
    )
    return actions


async def look(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys; afterwards every line is as wide as the screen and moves no cursor."""
    await pilot.press(*keys)
    await pilot.pause()
    app = pilot.app
    assert app.is_running, keys
    lines = screen_text(app).split("\n")
    assert len(lines) == app.size.height, keys
    for line in lines:
        assert visible(line) == line, (keys, line)
        assert cell_len(line) == app.size.width, (keys, line)


TABS: tuple[tuple[str, ...], ...] = (
    ("2", "z", "escape"),
    ("3",),
    ("4", "z", "escape", "enter", "escape"),
    ("5", "z", "escape"),
)
GROUPS: tuple[tuple[str, ...], ...] = (("1", "g"), ("g",), ("g",), ("g", "enter"), ("ctrl+l",))
VERBS = [("a", *["down"] * n, "enter") for n in range(8)]


@pytest.mark.parametrize(
    ("kind", "size"), [("markup", SMALL), ("controls", LARGE), ("emoji", SMALL), ("long", SMALL)]
)
async def test_every_screen_shows_hostile_text_as_text(kind: str, size: tuple[int, int]) -> None:
    text = TEXTS[kind]
    actions = hostile_actions(text)
    app = make_app(hostile_world(text), actions, notes=[text])
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: "STATE" in screen_text(app))
        app.tell(text, text, "error")
        await look(pilot, "x")
        assert visible(text)[:8].strip() in screen_text(app)
        await look(pilot, "z")
        await look(pilot, "escape", "question_mark")
        await look(pilot, "escape", "enter")
        for keys in (*TABS, *GROUPS):
            await look(pilot, *keys)
        await look(pilot, "slash", *"na:[/b", "escape")
        await look(pilot, "z")
        await look(pilot, "escape", "asterisk")
        for keys in VERBS:
            await look(pilot, *keys)
            await look(pilot, "escape", "escape")
        await look(pilot, "1", "enter")
        await look(pilot, "end")


@pytest.mark.parametrize("kind", ["markup", "controls"])
async def test_what_flux_says_against_a_request_is_shown_as_text(kind: str) -> None:
    text = TEXTS[kind]
    actions = hostile_actions(text)
    actions.refusal = FluxstateError(text, safe=text, advice=text)
    app = make_app(hostile_world(text), actions)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await until(pilot, lambda: "STATE" in screen_text(app))
        await look(pilot, "enter", "n")
        await look(pilot, *"true", "enter")
        await look(pilot, "escape", "home", "c")
        await look(pilot, "enter", "down", "enter")
        for key in "spdr":
            await look(pilot, key)
            await look(pilot, "escape", "escape")
            if app.screen is app.screen_stack[0]:
                await look(pilot, "enter")
