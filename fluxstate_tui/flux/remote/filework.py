"""Files of the lead container: fingerprints, and `flux dump`."""

import hashlib
import os
import re
import shutil
import subprocess
import time
from typing import Any, Dict, List

from fluxstate_tui.flux.remote.request import Request

READABLE = 1  # FLUX_POLLIN. The default has POLLOUT too, and the callback then blocks.
MAXREQS_SINCE = (0, 81)  # `flux dump --maxreqs`: 64 is twice as fast as the default
PROGRESS = 0.5  # seconds between two words about it
COUNT = re.compile(r"\r?flux-dump: archived (\d+) keys\n?")


def fingerprint(path: str) -> Dict[str, Any]:
    """Size in bytes, sha256, and modification time."""
    digest = hashlib.sha256()
    size = 0
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1024 * 1024), b""):
            digest.update(block)
            size += len(block)
        modified = os.fstat(file.fileno()).st_mtime
    return {"size": size, "sha256": digest.hexdigest(), "mtime": modified}


def stat(request: Request) -> None:
    """Reply the fingerprint of `path`."""
    request.reply(fingerprint(request.args["path"]))


def dump(request: Request) -> None:
    """`flux dump` into `path`, which must not exist; reply its exit code, words, fingerprint.

    `flux dump` truncates its file first (facts/flux.md), so an existing one is refused here.
    """
    program, path = request.program, request.args["path"]
    command = [shutil.which("flux") or "flux", "dump", path]
    if program.version >= MAXREQS_SINCE:
        command.insert(2, "--maxreqs=64")
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    none = subprocess.DEVNULL
    child = subprocess.Popen(command, stdin=none, stdout=none, stderr=subprocess.PIPE)
    program.children.append(child)
    words: List[str] = []
    said = [0.0]

    def read(_handle: Any, watcher: Any, fd: int, *_args: Any) -> None:
        data = os.read(fd, 65536).decode("utf-8", "replace")
        counts = COUNT.findall(data)
        words.append(COUNT.sub("", data))
        if counts and time.monotonic() - said[0] > PROGRESS:
            said[0] = time.monotonic()
            request.progress(keys=int(counts[-1]))
        if not data:
            watcher.stop()
            program.held.pop(request.number, None)
            ended()

    def ended() -> None:
        result = {"code": child.wait(), "stderr": "".join(words).strip()}
        program.children.remove(child)
        if child.stderr is not None:
            child.stderr.close()
        try:
            result.update(fingerprint(path))
        except OSError as error:
            request.fail(error)
        else:
            request.reply(result)

    assert child.stderr is not None
    watcher = program.handle.fd_watcher_create(child.stderr.fileno(), read, READABLE)
    program.held[request.number] = watcher  # or it would be collected
    watcher.start()
