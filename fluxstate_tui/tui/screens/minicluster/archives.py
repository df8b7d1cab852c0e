"""The catalog of one MiniCluster: every archive, what it holds, and whether one is armed."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from fluxstate_tui.archive.manifest import CatalogEntry
from fluxstate_tui.catalog.ownership import identity_of
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.formatting import age, size
from fluxstate_tui.live.filters import FilterField
from fluxstate_tui.live.store import Changes
from fluxstate_tui.live.summary import made_at
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.tui.screens.archive.words import note, verified_word
from fluxstate_tui.tui.screens.minicluster.view import View
from fluxstate_tui.tui.screens.services import Services
from fluxstate_tui.tui.widgets.grid import Column, Grid
from fluxstate_tui.tui.widgets.inputs import in_background
from fluxstate_tui.tui.widgets.lines import Line, Part
from fluxstate_tui.tui.widgets.table import Table

_PENDING = ("NEW", "DEPEND", "PRIORITY", "SCHED")
_RUNNING = ("RUN", "CLEANUP")


def counted(entry: CatalogEntry, names: tuple[str, ...]) -> str:
    """How many jobs of these statuses its manifest counts."""
    if entry.manifest is None:
        return "–"
    return str(sum(entry.manifest.counts.get(name, 0) for name in names))


def _jobs(entry: CatalogEntry) -> str:
    return "–" if entry.manifest is None else str(sum(entry.manifest.counts.values()))


def _signature(entry: CatalogEntry) -> str:
    return "–" if entry.manifest is None else entry.signature.value


_COLUMNS: tuple[Column[CatalogEntry], ...] = (
    Column(
        "id",
        "ARCHIVE",
        28,
        lambda e, _: e.id,
        tone=lambda _: "strong",
        sort=lambda e: e.id,
        flex=2,
    ),
    Column(
        "verified",
        "VERIFIED",
        12,
        lambda e, _: str(verified_word(e)),
        tone=lambda e: verified_word(e).tone,
        sort=lambda e: str(verified_word(e)),
    ),
    Column("jobs", "JOBS", 5, lambda e, _: _jobs(e), "right", rank=1),
    Column("pend", "PEND", 5, lambda e, _: counted(e, _PENDING), "right", rank=2),
    Column("run", "RUN", 4, lambda e, _: counted(e, _RUNNING), "right", rank=4),
    Column("signature", "SIGNATURE", 11, lambda e, _: _signature(e), rank=6),
    Column("size", "SIZE", 6, lambda e, _: size(e.size), "right", sort=lambda e: e.size, rank=3),
    Column(
        "age",
        "AGE",
        4,
        lambda e, now: age(now - made_at(e)),
        "right",
        lambda _: "off",
        made_at,
        ticks=lambda _: True,
    ),
)


def archive_columns(
    say: Callable[[CatalogEntry], str],
) -> tuple[Column[CatalogEntry], ...]:
    """All columns; `say` is the note on an archive."""
    last = Column[CatalogEntry](
        "note", "NOTE", 20, lambda e, _: say(e), tone=lambda _: "off", flex=3, rank=5
    )
    return (*_COLUMNS, last)


def archive_fields(
    say: Callable[[CatalogEntry], str],
) -> dict[str, FilterField[CatalogEntry]]:
    """What can be filtered by."""
    fields = (
        FilterField[CatalogEntry]("id", text=lambda e: e.id),
        FilterField[CatalogEntry]("verified", text=lambda e: verified_word(e).word),
        FilterField[CatalogEntry]("signature", text=_signature),
        FilterField[CatalogEntry]("note", text=say),
        FilterField[CatalogEntry]("size", number=lambda e: e.size),
    )
    return {field.name: field for field in fields}


class ArchivesView(View):
    """The catalog, newest first."""

    label = "Archives"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "look inside", id="archives.open", key_display="↵"),
        Binding("u", "update", "read again", id="archives.update"),
    ]

    def __init__(self, services: Services, ref: ClusterRef) -> None:
        super().__init__(services, ref)
        self.table: Table[str, CatalogEntry] = Table(
            archive_columns(self._note),
            archive_fields(self._note),
            now=services.server_now,
            order="age",
            acted_on=True,
            reverse=True,
            remembered=services.memory.table("archives"),
        )

    def _note(self, entry: CatalogEntry) -> str:
        picture = self.services.store.clusters.get(self.ref.uid)
        raw = picture.minicluster.raw if picture is not None else {}
        return note(entry, identity_of(self.ref, raw))

    def compose(self) -> ComposeResult:
        """Where the catalog lies, and what is in it."""
        yield Line(id="archives-line", classes="summary", most_lines=2)
        yield self.table

    @property
    def chosen(self) -> CatalogEntry | None:
        """The archive under the cursor."""
        key = self.table.grid.cursor_key
        return None if key is None else self.table.grid.selection.rows.get(key)

    def show_all(self) -> None:
        """The whole catalog."""
        picture = self.picture
        if picture is None:
            return
        self.table.show({entry.path: entry for entry in picture.catalog})
        path = picture.minicluster.archive_path
        parts: list[Part] = [("catalog beside ", "$muted"), (path or "no archive.path", "")]
        if picture.is_armed:
            parts.append(
                ("  ! armed: the next start of the lead container loads it", "$state-warn")
            )
        elif picture.armed:
            parts.append(("  ? armed when it was read last", "$state-warn"))
        self.query_one("#archives-line", Line).say(parts)
        if not path:
            text = "This MiniCluster has no archive.path: its queue cannot be saved on a volume."
        elif picture.catalog_at is None:
            text = "The catalog is not known yet. It is read through a pod of the MiniCluster."
        else:
            text = "No archive yet.\ns saves the queue."
        self.table.say_when_empty(text)

    def show_changes(self, changes: Changes) -> None:
        """Archives are few: show them anew."""
        if self.ref.uid in changes.catalogs:
            self.show_all()

    def tick(self) -> None:
        """Ages go on."""
        self.table.grid.tick()

    def take_focus(self) -> None:
        """Keys go to the archives."""
        self.table.grid.focus()

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Look into the archive."""
        event.stop()
        self.action_open()

    def action_open(self) -> None:
        """Fetch the archive under the cursor and show what is in it."""
        entry = self.chosen
        if entry is not None:
            from fluxstate_tui.tui.screens.archive.screen import ArchiveScreen
            from fluxstate_tui.tui.screens.helper_pod import with_helper_pod

            actions, ref = self.services.actions, self.ref
            self.app.push_screen(
                ArchiveScreen(
                    self.services,
                    entry.id,
                    lambda reading: with_helper_pod(
                        self.app,
                        self.services,
                        ref,
                        lambda: actions.open_archive(ref, entry, reading),
                    ),
                    ref=ref,
                )
            )

    def action_update(self) -> None:
        """Read the catalog again."""
        in_background(self, self._update)

    async def _update(self) -> None:
        try:
            await self.services.actions.refresh_archives(self.ref)
        except FluxstateError as error:
            self.services.tell(f"{error.message} {error.advice}", "Not read", "error")
