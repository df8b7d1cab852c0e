"""What to restore, and onto how many nodes: the preview says what that would bring."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, OptionList

from fluxstate_tui.archive.manifest import CatalogEntry
from fluxstate_tui.archive.progress import Reading
from fluxstate_tui.catalog.contents import FUTURE_SECONDS
from fluxstate_tui.catalog.helper_pod import HelperPodNeededError
from fluxstate_tui.catalog.ownership import identity_of, ownership
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.formatting import age
from fluxstate_tui.live.summary import Summary, made_at, says_jobs
from fluxstate_tui.operations.base import Choices
from fluxstate_tui.tui.screens.archive.words import note, verified_word
from fluxstate_tui.tui.screens.dialog import Dialog, SizeInput
from fluxstate_tui.tui.screens.helper_pod import question, with_helper_pod
from fluxstate_tui.tui.screens.services import Services
from fluxstate_tui.tui.text import fit
from fluxstate_tui.tui.typed_ahead import NEVER, from_now_on
from fluxstate_tui.tui.widgets.inputs import ChoiceList, in_background
from fluxstate_tui.tui.widgets.lines import Line, Panel, Part

MOST_CELLS = 40


class RestoreDialog(Dialog[Choices]):
    """Arrow keys choose the archive; `+` and `-`, or typing, the number of nodes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "plan", "plan it", id="restore.plan", key_display="↵", priority=True),
        Binding("plus", "resize(1)", "one node more", id="restore.more", key_display="+"),
        Binding("minus", "resize(-1)", "one less", id="restore.less", key_display="-"),
        Binding("v", "look", "every job", id="restore.look", tooltip="What becomes of every job"),
    ]

    def __init__(self, services: Services, chosen: Summary) -> None:
        super().__init__(f"Restore {chosen.ref.name}")
        self.services = services
        self.summary = chosen
        picture = services.store.clusters[chosen.ref.uid]
        self.entries = sorted(picture.catalog, key=made_at, reverse=True)
        self.manifest = picture.minicluster.raw or None
        self._needs: HelperPodNeededError | None = None
        self._agreed = False
        self.me = identity_of(chosen.ref, picture.minicluster.raw)

    def content(self) -> Iterable[Widget]:
        """The archives, the size, and the preview."""
        yield ChoiceList(self._labels(), id="archives-to-choose")
        label = Line(classes="dialog-label")
        label.say([("nodes", "$muted")])
        was = Line(id="size-before")
        was.say([(f"it had {self.summary.size}", "$muted")])
        yield Horizontal(
            label,
            SizeInput(self.summary.size),
            was,
            classes="dialog-row",
        )
        yield Panel(id="restore-preview", classes="block")

    def on_mount(self) -> None:
        """The archive that a restore would take is under the cursor; none if that is not clear."""
        options = self.query_one(ChoiceList)
        options.highlighted = None
        options.focus()
        self.answers_from = NEVER
        in_background(self, self._choose_default, "default")

    async def _choose_default(self) -> None:
        try:
            wanted = await self.services.actions.default_archive(self.summary.ref)
        finally:
            self.answers_from = from_now_on()
        options = self.query_one(ChoiceList)
        if options.highlighted is None:
            options.highlighted = self._default(wanted)
        self._preview()

    def _default(self, wanted: str) -> int | None:
        """That one; else the newest of this MiniCluster, if none says that it holds more jobs."""
        for at, entry in enumerate(self.entries):
            if entry.id == wanted:
                return at
        mine = [at for at, entry in enumerate(self.entries) if ownership(entry, self.me).is_ours]
        latest = self.services.server_now() + FUTURE_SECONDS
        sound = [
            at
            for at in mine
            if not self.entries[at].problem and made_at(self.entries[at]) <= latest
        ]
        if not sound:
            return mine[0] if mine else None
        most = max(says_jobs(self.entries[at]) or 0 for at in sound)
        return sound[0] if (says_jobs(self.entries[sound[0]]) or 0) == most else None

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Another archive, another preview."""
        event.stop()
        self._preview()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Another size, another preview."""
        event.stop()
        self._preview()

    def action_resize(self, step: int) -> None:
        """One node more or less, never none."""
        self.query_one("#size", SizeInput).action_resize(step)

    def action_look(self) -> None:
        """Show what would become of every job."""
        in_background(self, self._look, "look")

    async def _look(self) -> None:
        from fluxstate_tui.tui.screens.archive.opened import prepare
        from fluxstate_tui.tui.screens.archive.preview import PreviewScreen

        entry, ref, reading = self._entry(), self.summary.ref, Reading()
        if entry is None:
            return
        try:
            verdict = await with_helper_pod(
                self.app,
                self.services,
                ref,
                lambda: self.services.actions.open_archive(ref, entry, reading),
            )
        except FluxstateError as error:
            self.services.tell(f"{error.message} {error.advice}", "Not read", "error")
            return
        opened = await reading.in_thread(lambda: prepare(entry.id, verdict, ref))
        self.app.push_screen(PreviewScreen(self.services, opened, self._wanted_size()))

    def action_plan(self) -> None:
        """Go on to the plan; before, to the helper pod that the preview was asking for."""
        if self._needs is not None:
            self._needs, self._agreed = None, True
            self.services.actions.agree_to_helper_pod(self.summary.ref)
            self._preview()
            return
        entry, size = self._entry(), self._wanted_size()
        if entry is not None and size is not None:
            self.dismiss(
                Choices(archive=entry.id, size=size, manifest=self.manifest, manifest_was_seen=True)
            )

    def _entry(self) -> CatalogEntry | None:
        highlighted = self.query_one(ChoiceList).highlighted
        return self.entries[highlighted] if highlighted is not None else None

    def _wanted_size(self) -> int | None:
        return self.query_one("#size", SizeInput).wanted

    def _preview(self) -> None:
        if self.is_mounted:
            in_background(self, self._read_preview, "preview")

    async def _read_preview(self) -> None:
        entry, size = self._entry(), self._wanted_size()
        panel = self.query_one("#restore-preview", Panel)
        if entry is None:
            said = "Choose the archive: it is not clear which one is the newest of it."
            panel.say([[(said, "$state-warn")]])
            return
        if size is None:
            panel.say([[("Write how many nodes it shall have: 1 or more.", "$state-warn")]])
            return
        if not panel.text or self._agreed:
            self._agreed = False
            panel.say([[("Reading the archive …", "$muted")]])
        try:
            lines = await self.services.actions.preview_restore(self.summary.ref, entry.id, size)
        except HelperPodNeededError as needed:
            self._needs = needed
            panel.say(question(needed))
            return
        except FluxstateError as error:
            panel.say([[(error.message, "$state-warn")], [(error.advice, "$muted")]])
            return
        panel.say([*self._still_there(), *([(line, "")] for line in lines)])

    def _still_there(self) -> list[list[Part]]:
        """An archive is loaded by a new MiniCluster only: better said before than after a plan."""
        if self.summary.deleted:
            return []
        name = self.summary.ref.name
        said = f"{name} is still there: d deletes it first, m takes it to another size."
        return [[(said, "$state-warn")]]

    def _labels(self) -> list[Content]:
        """One line per archive, in columns."""
        now = self.services.server_now()
        rows = [
            (
                entry.id,
                str(verified_word(entry)),
                f"{age(now - made_at(entry))} old",
                note(entry, self.me),
            )
            for entry in self.entries
        ]
        widths = [min(MOST_CELLS, max(map(cell_len, column))) for column in zip(*rows, strict=True)]
        return [
            Content("  ".join(fit(cell, width) for cell, width in zip(row, widths, strict=True)))
            for row in rows
        ]
