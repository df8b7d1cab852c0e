"""A job list of any length, read piece by piece, so that no piece stops the event loop for long."""

from __future__ import annotations

import base64
import codecs
import json
import zlib
from typing import Any

_DECODER = json.JSONDecoder()


class SnapshotReader:
    """Reads one `{"jobs": [...]}` answer of job-list from its deflated pieces (128 KiB each)."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj()
        self._decode = codecs.getincrementaldecoder("utf-8")()
        self._text = ""
        self._inside = False

    def feed(self, data: str, last: bool) -> list[dict[str, Any]]:
        """The jobs that are complete now. Raises ValueError when it is no such answer."""
        try:
            piece = self._inflate.decompress(base64.b64decode(data, validate=True))
        except zlib.error as error:
            raise ValueError(f"the job list cannot be inflated: {error}") from None
        self._text += self._decode.decode(piece, final=last)
        if not self._inside and not self._enter():
            if last:
                raise ValueError("the answer of job-list has no jobs")
            return []
        jobs = self._jobs()
        if last and not self._text.startswith("]"):
            raise ValueError("the job list is cut off")
        return jobs

    def _enter(self) -> bool:
        start = self._text.find("[")
        if start < 0:
            return False
        if self._text[:start].replace(" ", "") != '{"jobs":':
            raise ValueError("the answer of job-list does not begin with its jobs")
        self._text = self._text[start + 1 :]
        self._inside = True
        return True

    def _jobs(self) -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = []
        text, position = self._text, 0
        while True:
            while text[position : position + 1] in (",", " ", "\n"):
                position += 1
            if not text.startswith("{", position):
                break
            try:
                job, position = _DECODER.raw_decode(text, position)
            except json.JSONDecodeError:
                break  # the rest of it comes with the next piece
            jobs.append(job)
        self._text = text[position:]
        return jobs
