"""How a Flux service refuses a request: an errno and, mostly, a text."""

from __future__ import annotations

import os


class FluxError(Exception):
    """An RPC's error response. `text` is '' when the service sent only the errno."""

    def __init__(self, number: int, text: str = "") -> None:
        super().__init__(number, text)
        self.errno = number
        self.text = text

    @property
    def message(self) -> str:
        """The text, or what the C library calls the errno."""
        return self.text or os.strerror(self.errno)
