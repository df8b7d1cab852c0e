"""The Textual App: themes, keys, time, and the first screen. It knows no client."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from textual import events
from textual.app import App, SystemCommand
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.screen import Screen
from textual.theme import Theme
from textual.widgets import Input

from fluxstate_tui import charset
from fluxstate_tui.clock import Clock, SystemClock
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.live.freshness import Freshness
from fluxstate_tui.live.store import Notices, Store
from fluxstate_tui.tui.screens.base import LiveScreen
from fluxstate_tui.tui.screens.miniclusters.screen import MiniClustersScreen
from fluxstate_tui.tui.screens.services import Services
from fluxstate_tui.tui.text import visible, visible_lines
from fluxstate_tui.tui.theme import (
    DEFAULT_THEME,
    VARIABLES,
    ThemeError,
    load_theme,
    load_themes,
    theme_folder,
)
from fluxstate_tui.tui.typed_ahead import TypedAhead
from fluxstate_tui.tui.widgets.inputs import in_background
from fluxstate_tui.tui.widgets.table import Memory

if TYPE_CHECKING:
    from fluxstate_tui.live.actions import Actions
    from fluxstate_tui.tui.screens.services import OperationRun


Start = Callable[[], Awaitable[None]]
TICK = 1.0
NOTICE, LOUD_NOTICE = 5.0, 10.0  # seconds
MOST_LINES = 12
OTHER_THEMES_AFTER = 0.3
NAMED_KEYS = {"↵": "enter", "⏎": "enter", "←": "left", "→": "right", "↑": "up", "↓": "down"}
NAMED_KEYS |= {"←→": "left/right", "↑↓": "up/down", "⌫": "backspace"}


class FluxstateApp(App[int]):
    """The dashboard.

    `start` connects and feeds the store; it is awaited after the first paint and may run for
    ever; `stop` ends it and returns when all connections are closed. When `start` raises
    FluxstateError the dashboard stays, says why, and `ctrl+r` tries again. `notes` are sentences
    to tell at the start.
    """

    TITLE = "fluxstate"
    CSS_PATH = "fluxstate.tcss"
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 (as the base class has it)
        (0, "-narrow"),
        (100, "-normal"),
        (140, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-short"),
        (20, "-medium"),
        (34, "-tall"),
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "help", id="app.help", key_display="?"),
        Binding("q", "quit", "quit", id="app.quit"),
        Binding(
            "ctrl+z",
            "suspend_process",
            "Suspend (fg comes back)",
            show=False,
            id="app.suspend",
            priority=True,
        ),
        Binding("ctrl+r", "reconnect", "Connect again", show=False, id="app.reconnect"),
        Binding("i", "interrupted", "Interrupted operations", show=False, id="app.interrupted"),
    ]

    def __init__(
        self,
        store: Store,
        actions: Actions,
        *,
        start: Start | None = None,
        stop: Start | None = None,
        clock: Clock | None = None,
        place: str = "",
        read_only: bool = False,
        all_namespaces: bool = False,
        archive: Path | None = None,
        theme: str = DEFAULT_THEME,
        notes: Sequence[str] = (),
        memory: Memory | None = None,
        driver: type[Driver] | None = None,
    ) -> None:
        super().__init__(driver_class=driver)
        self.services = Services(
            store=store,
            notices=Notices(store),
            actions=actions,
            clock=clock or SystemClock(),
            place=place,
            read_only=read_only,
            all_namespaces=all_namespaces,
            tell=self.tell,
            memory=memory or Memory(),
        )
        self._start = start
        self._stop = stop
        self._archive = archive
        self._wanted_theme = theme
        self._notes = notes
        self._asked = False
        self.interrupted: list[OperationRun] = []
        self._connecting: asyncio.Task[None] | None = None
        self._quitting: asyncio.Task[None] | None = None
        self.crash: BaseException | None = None
        self._keys = TypedAhead(self, super().on_event, self._tell_too_early)
        self._load_first_theme()

    async def on_event(self, event: events.Event) -> None:
        """Keys wait for each other."""
        if isinstance(event, events.Key) and not event.is_forwarded:
            await self._keys.take(event)
        else:
            await super().on_event(event)

    def _tell_too_early(self) -> None:
        says = "The question is not there yet: what you typed was not taken. Type it again."
        self.tell(says, "Too early", "warning")

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Values for our own variables, so that every theme of Textual works too."""
        return dict(VARIABLES)

    def get_key_display(self, binding: Binding) -> str:
        """Keys that have a sign of their own by their names, where the terminal lacks the sign."""
        shown = super().get_key_display(binding)
        return shown if charset.unicode() else NAMED_KEYS.get(shown, shown)

    def get_default_screen(self) -> Screen[None]:
        """The list of MiniClusters, or the archive that was given."""
        if self._archive is not None:
            from fluxstate_tui.tui.screens.archive.screen import ArchiveScreen

            return ArchiveScreen.of_file(self.services, self._archive)
        return MiniClustersScreen(self.services)

    def _fatal_error(self) -> None:
        """A bug ends it; who runs it tells that (`crash`).

        Textual would print a traceback with all local variables, which may be secrets.
        """
        self.crash = sys.exception() or self._exception
        self._close_messages_no_wait()

    def tell(
        self, text: str, title: str, severity: Literal["information", "warning", "error"]
    ) -> None:
        """Show a notice over any screen, as lines of plain text."""
        plain, heading = "\n".join(visible_lines(text, 1000)[:MOST_LINES]), visible(title[:100])
        seconds = NOTICE if severity == "information" else LOUD_NOTICE
        self.notify(plain, title=heading, severity=severity, markup=False, timeout=seconds)

    def on_mount(self) -> None:
        """Connect after the first paint; let the seconds pass."""
        self.set_interval(TICK, self._tick)
        self.call_after_refresh(self._after_first_paint)

    def on_key(self, event: events.Key) -> None:
        """What was typed ahead of a line that just opened is written there.

        A letter that comes up to here while a line is written was sent before that line had the
        focus: a line takes all letters itself.
        """
        line = self.focused
        if isinstance(line, Input) and event.is_printable:
            event.stop()
            event.prevent_default()
            line.post_message(events.Key(event.key, event.character))

    async def on_unmount(self) -> None:
        """Nobody is told anything any more; remote programs end before we do."""
        self.services.notices.close()
        for course in self.services.courses:
            course.course.stop()
            await course.finished()
        for run in self.services.runs.values():
            run.cancel()  # it puts back what it did; that must be done before the connection ends
            await run.finished()
        if self._stop is not None:
            await self._stop()
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """What the palette offers beyond Textual's own."""
        yield from super().get_system_commands(screen)
        yield SystemCommand("Connect again", "Start the connection anew", self.action_reconnect)
        yield SystemCommand(
            "Findings", "All that is wrong, across MiniClusters", self.action_findings
        )
        yield SystemCommand(
            "Interrupted operations",
            "What killed programs left, and how to put it right",
            self.action_interrupted,
        )
        from fluxstate_tui.tui.screens.operation.keys import ClusterActions

        if isinstance(screen, ClusterActions):
            yield from screen.operation_commands()

    async def action_quit(self) -> None:
        """Quit; while an operation runs, ask first."""
        from fluxstate_tui.tui.screens.operation.screen import quit_or_ask

        quit_or_ask(self, self.services)

    def action_help(self) -> None:
        """Explain the keys of the current screen."""
        from fluxstate_tui.tui.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    def pop_screen(self) -> AwaitComplete:
        """Take the top screen away, once it is complete: a burst may leave it while it is made."""
        top = self.screen
        if top.is_mounted:
            return super().pop_screen()

        def when_complete() -> None:
            if self.screen is top:
                App.pop_screen(self)

        top.call_later(when_complete)
        return AwaitComplete()

    def action_reconnect(self) -> None:
        """Try to connect again, unless that would cut off an operation in the middle."""
        working = [run.title for run in self.services.runs.values() if run.running]
        if working:
            says = f"{', '.join(working)} works over this connection, which mends itself."
            self.tell(says, "Connect again", "warning")
        elif self._start is not None:
            self.services.trouble = None
            self._begin_connection()
            self._show_current()

    def action_interrupted(self) -> None:
        """Ask about operations whose program was killed."""
        from fluxstate_tui.tui.screens.operation.interrupted import ask_about_interrupted

        in_background(self, lambda: ask_about_interrupted(self, self.services), "interrupted")

    def action_findings(self) -> None:
        """Show all that is wrong, across MiniClusters."""
        from fluxstate_tui.tui.screens.findings.screen import FindingsScreen

        if not isinstance(self.screen, FindingsScreen):
            self.push_screen(FindingsScreen(self.services))

    def end_on_request(self) -> None:
        """Asked to end from outside: nobody is asked, and nothing is left half done."""
        from fluxstate_tui.tui.screens.operation.screen import quit_on_request

        work = quit_on_request(self, self.services, self.interrupted)
        self._quitting = asyncio.create_task(work)

    def hurry(self) -> bool:
        """Asked once more: what runs ends within seconds, put back or not. Whether any does."""
        for run in self.services.runs.values():
            run.hurry()
        for course in self.services.courses:
            course.hurry()
        courses = any(course.running for course in self.services.courses)
        return courses or any(run.running for run in self.services.runs.values())

    def _begin_connection(self) -> None:
        """It outlives the screens: what an operation puts back goes over it (`on_unmount`)."""
        if self._connecting is not None:
            self._connecting.cancel()
        self._connecting = asyncio.create_task(self._connect(), name="connect")

    def _after_first_paint(self) -> None:
        self.set_timer(OTHER_THEMES_AFTER, self._load_other_themes)
        for note in self._notes:
            self.tell(note, "Configuration", "warning")
        if self._start is not None:
            self._begin_connection()

    async def _connect(self) -> None:
        assert self._start is not None
        try:
            await self._start()
        except FluxstateError as error:
            self.services.trouble = error
        except Exception as error:  # a bug in a feed must not take the last picture away
            self.services.trouble = FluxstateError(
                f"a bug in fluxstate-tui: {type(error).__name__}: {error}",
                safe="Nothing was changed in the cluster by this.",
                advice="Please report it.",
            )
        self._show_current()

    def _show_current(self) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, LiveScreen) and screen.is_current:
                screen.on_screen_resume()

    def _tick(self) -> None:
        if not self.screen_stack:
            return  # it is being taken apart
        self.services.store.tick(self.services.clock.now())
        self._tell_about_interrupted()
        for screen in self.screen_stack:
            if isinstance(screen, LiveScreen) and screen.seen and screen.ready:
                screen.tick()  # behind a dialog too

    def _tell_about_interrupted(self) -> None:
        """Once, as soon as the cluster can be looked at."""
        known = self.services.store.source("miniclusters")
        live = known is not None and known.freshness is Freshness.LIVE
        if self._asked or not live:
            return
        self._asked = True
        from fluxstate_tui.tui.screens.operation.interrupted import tell_about_interrupted

        in_background(self, lambda: tell_about_interrupted(self.services), "interrupted")

    def _load_first_theme(self) -> None:
        """Only the theme that is shown: the others can wait until after the first paint."""
        path = theme_folder() / f"{self._wanted_theme}.toml"
        try:
            theme = load_theme(path)
        except ThemeError:
            return  # told when all are loaded: before the first paint nobody can read it
        self.register_theme(theme)
        self.theme = theme.name

    def _load_other_themes(self) -> None:
        mistakes: list[str] = []
        for found in load_themes(theme_folder()):
            if isinstance(found, Theme):
                self.register_theme(found)
            else:
                mistakes.append(str(found))
        if self.theme != self._wanted_theme:
            if self._wanted_theme in self.available_themes:
                self.theme = self._wanted_theme
            else:
                ours = ", ".join(path.stem for path in sorted(theme_folder().glob("*.toml")))
                mistakes.append(f"There is no theme '{self._wanted_theme}'. Ours: {ours}.")
        if mistakes:
            said = "\n".join(visible_lines("\n".join(mistakes)))
            self.notify(said, severity="warning", markup=False, timeout=12)
