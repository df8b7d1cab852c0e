"""What the program says: JSON lines on stdout (ASCII, so that no transport can spoil them)."""

import base64
import json
import os
import zlib
from typing import Any

PROTOCOL = 1
PIECE = 128 * 1024  # characters of the job list per line


class Output:
    """Each line is written whole and at once. `t` says what it is."""

    def send(self, kind: str, **fields: Any) -> None:
        """Write one line."""
        fields["t"] = kind
        rest = json.dumps(fields, separators=(",", ":")).encode("ascii") + b"\n"
        while rest:
            rest = rest[os.write(1, rest) :]

    def send_jobs(self, text: str, part: bool) -> None:
        """Send job-list's answer as it came: unparsed, deflated, in pieces.

        100,000 jobs are 50 MB of JSON. Parsing them here would take the container's memory, and
        sending them as they are would take minutes on a slow line. `part`: see Watch.list_jobs.
        """
        deflate = zlib.compressobj(1)
        for start in range(0, len(text), PIECE):
            last = start + PIECE >= len(text)
            data = deflate.compress(text[start : start + PIECE].encode("utf-8"))
            data += deflate.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)
            self.send("jobs", z=base64.b64encode(data).decode("ascii"), last=last, part=part)
