"""Put store, connection and app together and run them until the user quits."""

from __future__ import annotations

import asyncio
import gc
import select
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fluxstate_tui import termination
from fluxstate_tui.clock import SystemClock
from fluxstate_tui.config import Config
from fluxstate_tui.formatting import plain
from fluxstate_tui.live.store import Store
from fluxstate_tui.tui.app import FluxstateApp
from fluxstate_tui.tui.terminal import STOP_SECONDS, TerminalDriver
from fluxstate_tui.tui.theme import DEFAULT_THEME
from fluxstate_tui.tui.widgets.table import Memory

if TYPE_CHECKING:
    from textual.app import App

    from fluxstate_tui.kube.kubeconfig import KubeOptions
    from fluxstate_tui.live.connection import Connection
    from fluxstate_tui.live.session import LiveActions


def build(
    options: KubeOptions,
    *,
    config: Config | None = None,
    theme: str | None = None,
    archive: Path | None = None,
    demo: bool = False,
) -> FluxstateApp:
    """The app, wired: it connects by itself after the first paint (unless it shows a file)."""
    from fluxstate_tui.live.connection import Connection
    from fluxstate_tui.live.session import LiveActions

    clock = SystemClock()
    store = Store()
    config = config or Config()
    store.silenced = config.silenced

    def opened(place: str) -> None:
        calm_the_collector()
        if not demo:
            app.services.place = place

    connection = Connection(options, store, clock, config, opened)
    actions = LiveActions(connection, options.read_only, config.protects)

    app = FluxstateApp(
        store,
        actions,
        start=connection.run if archive is None else None,
        stop=partial(_stop, actions, connection),
        clock=clock,
        place=_place(options, demo),
        read_only=options.read_only,
        all_namespaces=options.all_namespaces,
        archive=archive,
        theme=theme or config.theme or DEFAULT_THEME,
        notes=config.problems,
        memory=Memory(_state_dir),
        driver=TerminalDriver,
    )
    return app


def calm_the_collector() -> None:
    """What was imported stays: with it frozen, a list of 100,000 jobs stops the screen 21 ms, not
    100 ms, at the longest (tests/benchmarks/live_queue.py). For this program, not for a library."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


async def _stop(actions: LiveActions, connection: Connection) -> None:
    await actions.close()
    await connection.stop()


def run(
    options: KubeOptions,
    *,
    config: Config | None = None,
    theme: str | None = None,
    archive: Path | None = None,
    demo: bool = False,
) -> int:
    """Show the dashboard and return its exit code. A bug that ended it is raised again."""
    app = build(options, config=config, theme=theme, archive=archive, demo=demo)
    termination.run(_show(app))
    _tell_the_rest(app)
    if app.crash is not None:
        raise app.crash
    return exit_code(app)


def _tell_the_rest(app: FluxstateApp) -> None:
    """What ended badly when nobody could look at the screen any more."""
    lines: list[str] = []
    unseen = [run for run in app.services.runs.values() if run.unseen]
    for run in dict.fromkeys([*app.interrupted, *unseen]):
        outcome = run.outcome
        if outcome is not None:
            words = (outcome.reason, outcome.safe, outcome.advice)
            says = plain(" ".join(filter(None, words)))
            lines.append(f"{plain(run.title)}: {outcome.kind.value}: {says}")
    if lines and select.select([], [sys.stderr], [], STOP_SECONDS)[1]:  # it may take nothing
        sys.stderr.write("\n".join([*lines, ""]))


async def _show(app: FluxstateApp) -> None:
    task = asyncio.current_task()
    assert task is not None

    def hurry() -> None:
        if not app.hurry():
            task.cancel()  # a connection whose end takes long

    with termination.on_request(app.end_on_request, hurry):
        await app.run_async()


def exit_code(app: App[int]) -> int:
    """What it chose to return; else 1 if it crashed (Textual then returns no value)."""
    return app.return_value if app.return_value is not None else app.return_code or 0


def _state_dir() -> Path:
    from fluxstate_tui.broker.context import default_state_dir

    return default_state_dir()


def _place(options: KubeOptions, demo: bool) -> str:
    """Where it is going to look, as far as that is known before the kubeconfig is read."""
    return "demo (simulated)" if demo else options.context or ""
