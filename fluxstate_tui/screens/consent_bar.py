"""The question before anything happens, always in sight: no is the default."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Button, Input

from fluxstate_tui.operations.plan import Consent, ConsentKind
from fluxstate_tui.widgets.panel import Panel


class ConsentBar(Vertical):
    """`ask` shows the question; the answer comes as a message. Where something would be lost, yes
    works only when the word is typed exactly."""

    class Answered(Message):
        """Yes with what was typed, or no."""

        def __init__(self, yes: bool, typed: str = "") -> None:
            super().__init__()
            self.yes = yes
            self.typed = typed

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "turn(-1)", "No or yes", show=False, id="consent.left"),
        Binding("right", "turn(1)", "choose", id="consent.right", key_display="←→",
                tooltip="No or yes"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__(id="consent-bar")
        self._word: str | None = None
        self._question = ""

    def compose(self) -> ComposeResult:
        """The question, and the ways to answer it."""
        yield Panel(id="question")
        yield Horizontal(
            Input(id="word", compact=True),
            Button("Back", id="no", compact=True),
            Button("Go ahead", id="yes", compact=True),
            id="consent",
        )

    def on_mount(self) -> None:
        """Nothing is asked yet."""
        self.display = False

    @property
    def asking(self) -> bool:
        """The question is on the screen."""
        return bool(self.display)

    def ask(self, consent: Consent) -> None:
        """Show it, with the keys on the safe answer or where the word is typed."""
        typed = consent.kind is ConsentKind.TYPE_NAME
        self._word = consent.word if typed else None
        self._question = consent.question
        self._say(f"Type {consent.word} to go ahead." if typed else "", "$muted")
        word, yes, no = (
            self.query_one("#word", Input),
            self.query_one("#yes", Button),
            self.query_one("#no", Button),
        )
        word.display = typed
        word.placeholder = "type it here"  # the word itself would look as if it were typed
        yes.disabled = typed and word.value.strip() != consent.word
        self.display = True
        (word if typed else no).focus()

    def hide(self) -> None:
        """It was answered."""
        self.display = False

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Yes or no."""
        event.stop()
        self._answer(event.button.id == "yes")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Go ahead only when the word is typed exactly."""
        event.stop()
        self.query_one("#yes", Button).disabled = event.value.strip() != self._word

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter after the word is consent too: it was typed for that."""
        event.stop()
        if event.value.strip() == self._word:
            self._answer(True)
        else:
            self._say(f"That is not {self._word}: nothing was done.", "$state-warn")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In the line where the word is typed, left and right go through its letters."""
        return action != "turn" or isinstance(self.app.focused, Button)

    def action_turn(self, step: int) -> None:
        """The other button."""
        if step > 0:
            self.screen.focus_next("#consent *")
        else:
            self.screen.focus_previous("#consent *")

    def _say(self, hint: str, tone: str) -> None:
        rows = [[(self._question, "$foreground bold")], *([[(hint, tone)]] if hint else [])]
        self.query_one("#question", Panel).say(rows)

    def _answer(self, yes: bool) -> None:
        if not self.asking:
            return  # a second key of a burst
        self.hide()
        self.post_message(self.Answered(yes, self.query_one("#word", Input).value.strip()))
