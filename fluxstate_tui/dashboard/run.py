"""Put store, connection and app together and run them until the user quits."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fluxstate_tui.app import FluxstateApp
from fluxstate_tui.clock import SystemClock
from fluxstate_tui.config import Config
from fluxstate_tui.store import Store
from fluxstate_tui.widgets.remembered import Memory
from fluxstate_tui.widgets.theme import DEFAULT_THEME

if TYPE_CHECKING:
    from textual.app import App

    from fluxstate_tui.dashboard.actions import LiveActions
    from fluxstate_tui.dashboard.connection import Connection
    from fluxstate_tui.kube.options import KubeOptions


def build(
    options: KubeOptions,
    *,
    config: Config | None = None,
    theme: str | None = None,
    archive: Path | None = None,
    demo: bool = False,
) -> FluxstateApp:
    """The app, wired: it connects by itself after the first paint (unless it shows a file)."""
    from fluxstate_tui.dashboard.actions import LiveActions
    from fluxstate_tui.dashboard.connection import Connection

    clock = SystemClock()
    store = Store()
    config = config or Config()

    def opened(place: str) -> None:
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
    )
    return app


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
    app.run()
    if app.crash is not None:
        raise app.crash
    return exit_code(app)


def exit_code(app: App[int]) -> int:
    """What it chose to return; else 1 if it crashed (Textual then returns no value)."""
    return app.return_value if app.return_value is not None else app.return_code or 0


def _state_dir() -> Path:
    from fluxstate_tui.operations.context import default_state_dir

    return default_state_dir()


def _place(options: KubeOptions, demo: bool) -> str:
    """Where it is going to look, as far as that is known before the kubeconfig is read."""
    return "demo (simulated)" if demo else options.context or ""
