"""The live state: plain timestamped events in, one consistent picture out."""

from fluxstate_tui.store.changes import Changes
from fluxstate_tui.store.freshness import Freshness, Source
from fluxstate_tui.store.notices import Notices
from fluxstate_tui.store.store import Store
from fluxstate_tui.store.summary import Summary

__all__ = ["Changes", "Freshness", "Notices", "Source", "Store", "Summary"]
