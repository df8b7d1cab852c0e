"""Before a helper pod is started: which one, and Enter."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.widget import Widget

from fluxstate_tui.catalog.helper_pod import HelperPodNeededError
from fluxstate_tui.tui.screens.dialog import Dialog
from fluxstate_tui.tui.typed_ahead import from_now_on
from fluxstate_tui.tui.widgets.lines import Panel, Part

if TYPE_CHECKING:
    from fluxstate_tui.minicluster.minicluster import ClusterRef
    from fluxstate_tui.tui.screens.services import Services


T = TypeVar("T")


async def with_helper_pod(
    app: App[Any], services: Services, ref: ClusterRef, call: Callable[[], Awaitable[T]]
) -> T:
    """What `call` gives; when it needs a helper pod, that is asked for, and it is called again.

    Must run in a worker, for it shows a dialog. Raises HelperPodNeededError when the user says no.
    """
    try:
        return await call()
    except HelperPodNeededError as needed:
        if not await app.push_screen_wait(HelperPodDialog(ref, needed)):
            raise
        services.actions.agree_to_helper_pod(ref)
    return await call()


def question(needed: HelperPodNeededError) -> list[list[Part]]:
    """Two calm lines."""
    return [
        [("Nothing that runs has the volume of the archives. ", ""), ("Enter", "$accent bold"),
         (" starts, to read them:", "")],
        [(f"{needed.pod}.", "$muted")],
    ]  # fmt: skip


class HelperPodDialog(Dialog[bool]):
    """Enter starts it; it is removed when it has read what was asked for."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "agree", "start it", id="helper-pod.start", key_display="↵",
                priority=True),
    ]  # fmt: skip

    def __init__(self, ref: ClusterRef, needed: HelperPodNeededError) -> None:
        super().__init__(f"The archives of {ref.name}")
        self._needed = needed
        self.answers_from = from_now_on()

    def content(self) -> Iterable[Widget]:
        """Which pod."""
        panel = Panel(classes="dialog-text")
        panel.say(question(self._needed))
        yield panel

    def action_agree(self) -> None:
        """Yes."""
        self.dismiss(True)
