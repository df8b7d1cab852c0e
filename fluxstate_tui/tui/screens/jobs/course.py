"""Work on very many jobs: how far it is, how to stop it, and that it outlives its dialog."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.binding import Binding, BindingType
from textual.widget import Widget

from fluxstate_tui.formatting import age
from fluxstate_tui.tui.screens.dialog import Dialog
from fluxstate_tui.tui.screens.services import CourseRun
from fluxstate_tui.tui.widgets.lines import Panel, Part

if TYPE_CHECKING:
    from fluxstate_tui.tasks import Course
    from fluxstate_tui.tui.screens.services import Services

SHOWN: Final = 50
"""Work on more jobs than these has a dialog while it goes on."""
MANY: Final = 1000
"""More jobs than these are a question of their own."""
PAINT: Final = 0.2
STOP_KEPT: Final = "esc stops it; what was done by then stays done."


def begin(
    services: Services, title: str, course: Course, work: Callable[[], Coroutine[Any, Any, None]]
) -> CourseRun:
    """Begin it; it goes on whatever is shown."""
    run = CourseRun(title, course, work, services.tell)
    services.courses[:] = [*(one for one in services.courses if one.running), run]
    return run


def progress(course: Course, since: float) -> list[Part]:
    """`3,200 of 13,000, 12 refused · 1,900 a second, 5s left`."""
    ended = course.done + course.failed
    text = f"{course.done:,} of {course.of:,}"
    if course.failed:
        text += f", {course.failed:,} refused"
    seconds = time.monotonic() - since
    if ended and seconds >= 1:
        rate = ended / seconds
        text += f" · {rate:,.0f} a second, {age((course.of - ended) / rate)} left"
    if course.stopping:
        text += " · stopping: what is on its way ends first"
    return [(text, "$state-busy")]


class CourseKeys(Dialog[None]):
    """A dialog whose work can be stopped: `esc` stops while it goes on, and leaves after."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "cancel", id="course.cancel", key_display="esc"),
        Binding("escape", "stop", "stop", id="course.stop", key_display="esc"),
    ]

    run_shown: CourseRun | None = None

    @property
    def busy(self) -> bool:
        """Work goes on."""
        return self.run_shown is not None and self.run_shown.running

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """One meaning of `esc` at a time."""
        if action in ("dismiss", "stop"):
            return self.busy == (action == "stop")
        return super().check_action(action, parameters)

    def action_stop(self) -> None:
        """Begin no more of them."""
        if self.run_shown is not None:
            self.run_shown.course.stop()


class CourseDialog(CourseKeys):
    """How far it is. It goes away by itself when it has ended: the outcome is told."""

    def __init__(self, run: CourseRun) -> None:
        super().__init__(run.title)
        self.run_shown = run
        self._since = time.monotonic()

    def content(self) -> Iterable[Widget]:
        """One line that counts."""
        yield Panel(id="course-said", classes="dialog-text")

    def on_mount(self) -> None:
        """Count."""
        self._say()
        self.set_interval(PAINT, self._say)

    def _say(self) -> None:
        if self.run_shown is None or not self.busy:
            self.dismiss(None)
            return
        rows = [progress(self.run_shown.course, self._since), [(STOP_KEPT, "$muted")]]
        self.query_one("#course-said", Panel).say(rows)
