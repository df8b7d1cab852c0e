"""Programs that work on text and bytes: cat echo printf head tail wc cut sort grep sha256sum ..."""

from __future__ import annotations

import base64 as base64_codec
import hashlib
import re
from collections.abc import AsyncIterator

from fluxstate_tui.sim.shell.options import parse_options
from fluxstate_tui.sim.shell.proc import read_file
from fluxstate_tui.sim.shell.process import Process, UsageError
from fluxstate_tui.sim.shell.streams import BytesWriter, read_all, require_memory

CHUNK = 65536


async def chunks(process: Process, name: str) -> AsyncIterator[bytes]:
    """A file's bytes, or standard input's for `-`."""
    if name == "-":
        while data := await process.stdin.read(CHUNK):
            yield data
        return
    data = read_file(process, process.path(name))
    for start in range(0, len(data), CHUNK):
        yield data[start : start + CHUNK]


async def content(process: Process, name: str) -> bytes:
    """All of it. Raises OSError (ENOMEM)."""
    found = BytesWriter()
    async for data in chunks(process, name):
        await found.write(data)
    return bytes(found.data)


async def cat(process: Process) -> int:
    """Files or standard input."""
    status = 0
    for name in [arg for arg in process.args if arg == "-" or not arg.startswith("-")] or ["-"]:
        try:
            async for data in chunks(process, name):
                await process.stdout.write(data)
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise
            await process.err(f"cat: {name}: {error.strerror}\n")
            status = 1
    return status


async def echo(process: Process) -> int:
    """-n -e."""
    args, newline, escapes = list(process.args), "\n", False
    while args and re.fullmatch(r"-[neE]+", args[0]):
        flags = args.pop(0)
        newline = "" if "n" in flags else newline
        escapes = escapes or "e" in flags
    text = " ".join(args) + newline
    data = text.encode("utf-8", "surrogateescape")
    await process.stdout.write(_escapes(data) if escapes else data)
    return 0


_ESCAPES = {
    b"n": b"\n", b"t": b"\t", b"r": b"\r", b"\\": b"\\", b"a": b"\a", b"b": b"\b", b"f": b"\f",
    b"v": b"\v", b"e": b"\x1b", b'"': b'"',
}  # fmt: skip
_ESCAPE = re.compile(rb"\\(0?[0-7]{1,3}|x[0-9a-fA-F]{1,2}|.)", re.DOTALL)


def _escapes(data: bytes) -> bytes:
    def one(match: re.Match[bytes]) -> bytes:
        code = match[1]
        if code in _ESCAPES:
            return _ESCAPES[code]
        if code[:1] == b"x" and len(code) > 1:
            return bytes([int(code[1:], 16)])
        return bytes([int(code, 8) & 0xFF]) if code.isdigit() else match[0]

    return _ESCAPE.sub(one, data)


_DIRECTIVE = re.compile(rb"%(%|[-0 +#]*(?:\d+|\*)?(?:\.\d+)?[sdiuxXofgecb])")


async def printf(process: Process) -> int:
    """The format is used again while there are arguments left."""
    if not process.args:
        raise UsageError("missing operand")
    form = _escapes(process.args[0].encode("utf-8", "surrogateescape"))
    rest = [arg.encode("utf-8", "surrogateescape") for arg in process.args[1:]]
    while True:
        before = len(rest)
        await process.stdout.write(_DIRECTIVE.sub(lambda match: _directive(match, rest), form))
        if not rest or len(rest) == before:
            return 0


def _directive(match: re.Match[bytes], rest: list[bytes]) -> bytes:
    code = match[1]
    for digits in re.findall(rb"\d+", code):
        require_memory(int(digits[:9]))
    if code == b"%":
        return b"%"
    value = rest.pop(0) if rest else b""
    kind = code[-1:]
    if kind == b"b":
        return _escapes(value)
    if kind in b"diuxXo":
        try:
            number = int(value or b"0", 0)
        except ValueError:
            number = 0
        return (b"%" + code[:-1] + (b"d" if kind == b"u" else kind)) % number
    if kind in b"fge":
        return (b"%" + code) % float(value or b"0")
    return (b"%" + code[:-1] + b"s") % (value[:1] if kind == b"c" else value)


async def head(process: Process) -> int:
    """-n N, -c N. From standard input it reads no more than it needs."""
    options = parse_options(_numeric(process.args), "n,lines= c,bytes= q,quiet v")
    name = (options.operands or ["-"])[0]
    if options.has("bytes"):
        return await _head_bytes(process, name, int(options.get("bytes")))
    left = int(options.get("lines", "10"))
    async for data in chunks(process, name):
        for line in data.splitlines(keepends=True):
            if left <= 0:
                return 0
            await process.stdout.write(line)
            left -= line.endswith(b"\n")
        if left <= 0:
            return 0
    return 0


async def _head_bytes(process: Process, name: str, left: int) -> int:
    if left < 0:
        data = await content(process, name)
        await process.stdout.write(data[:left])
        return 0
    if name != "-":
        await process.stdout.write((await content(process, name))[:left])
        return 0
    while left > 0 and (data := await process.stdin.read(min(left, CHUNK))):
        await process.stdout.write(data)
        left -= len(data)
    return 0


def _numeric(args: list[str]) -> list[str]:
    """`-5` is `-n 5`."""
    return [f"-n{arg[1:]}" if re.fullmatch(r"-\d+", arg) else arg for arg in args]


async def tail(process: Process) -> int:
    """-n N, -n +N, -c N, -c +N."""
    options = parse_options(_numeric(process.args), "n,lines= c,bytes= q f F")
    name = (options.operands or ["-"])[0]
    try:
        data = await content(process, name)
    except OSError as error:
        return await process.fail(f"cannot open '{name}' for reading: {error.strerror}")
    if options.has("bytes"):
        count = options.get("bytes")
        start = max(0, int(count[1:]) - 1) if count.startswith("+") else len(data) - int(count)
        data = data[max(0, start) :]
    else:
        lines = data.splitlines(keepends=True)
        count = options.get("lines", "10")
        if count.startswith("+"):
            data = b"".join(lines[max(0, int(count[1:]) - 1) :])
        else:
            data = b"".join(lines[max(0, len(lines) - int(count)) :])
    for start in range(0, len(data), CHUNK):
        await process.stdout.write(data[start : start + CHUNK])
    return 0


async def wc(process: Process) -> int:
    """-l -w -c -m."""
    options = parse_options(process.args, "l,lines w,words c,bytes m,chars")
    wanted = [name for name in ("lines", "words", "bytes", "chars") if options.has(name)]
    for name in options.operands or ["-"]:
        try:
            data = await content(process, name)
        except OSError as error:
            return await process.fail(f"{name}: {error.strerror}")
        counts = {
            "lines": data.count(b"\n"), "words": len(data.split()), "bytes": len(data),
            "chars": len(data.decode("utf-8", "replace")),
        }  # fmt: skip
        shown = [counts[key] for key in wanted or ("lines", "words", "bytes")]
        width = 1 if len(shown) == 1 else 7
        suffix = "" if name == "-" else f" {name}"
        await process.out(" ".join(f"{value:>{width}}" for value in shown) + suffix + "\n")
    return 0


async def cut(process: Process) -> int:
    """-d C -f LIST, -c LIST."""
    options = parse_options(process.args, "d,delimiter= f,fields= c,characters= b= s")
    delimiter = options.get("delimiter", "\t")
    text = (await content(process, (options.operands or ["-"])[0])).decode("utf-8", "replace")
    lines = []
    for line in text.splitlines():
        if options.has("characters"):
            lines.append("".join(_selected(list(line), options.get("characters"))))
        elif delimiter not in line:
            lines.append(line)
        else:
            lines.append(delimiter.join(_selected(line.split(delimiter), options.get("fields"))))
    await process.out("".join(line + "\n" for line in lines))
    return 0


def _selected(items: list[str], wanted: str) -> list[str]:
    chosen: list[str] = []
    for part in wanted.split(","):
        first, dash, last = part.partition("-")
        end = (int(last) if last else len(items)) if dash else int(first)
        chosen += items[int(first or 1) - 1 : end]
    return chosen


async def sort(process: Process) -> int:
    """-n -r -u."""
    options = parse_options(process.args, "n,numeric-sort r,reverse u,unique k= t=")
    names = options.operands or ["-"]
    text = b"".join([await content(process, name) for name in names]).decode("utf-8", "replace")
    lines = text.splitlines()
    if options.has("unique"):
        lines = list(dict.fromkeys(lines))

    def key(line: str) -> tuple[float, str]:
        number = re.match(r"\s*(-?\d+(\.\d+)?)", line) if options.has("numeric-sort") else None
        return (float(number[1]) if number else 0.0, line)

    lines.sort(key=key, reverse=options.has("reverse"))
    await process.out("".join(line + "\n" for line in lines))
    return 0


async def uniq(process: Process) -> int:
    """-c -d."""
    options = parse_options(process.args, "c,count d,repeated")
    text = (await content(process, (options.operands or ["-"])[0])).decode("utf-8", "replace")
    groups: list[tuple[str, int]] = []
    for line in text.splitlines():
        if groups and groups[-1][0] == line:
            groups[-1] = (line, groups[-1][1] + 1)
        else:
            groups.append((line, 1))
    for line, count in groups:
        if not options.has("repeated") or count > 1:
            await process.out((f"{count:>7} " if options.has("count") else "") + line + "\n")
    return 0


async def grep(process: Process) -> int:
    """-v -i -q -c -n -E -F -o -w -e."""
    options = parse_options(process.args, "v i q,quiet c,count n E F o w e= m= a h s")
    operands = list(options.operands)
    pattern = options.get("e") or (operands.pop(0) if operands else "")
    expression = re.escape(pattern) if options.has("F") else _basic(pattern, options.has("E"))
    if options.has("w"):
        expression = rf"\b(?:{expression})\b"
    matcher = re.compile(expression, re.IGNORECASE if options.has("i") else 0)
    found = 0
    for name in operands or ["-"]:
        text = (await content(process, name)).decode("utf-8", "surrogateescape")
        for number, line in enumerate(text.splitlines(), start=1):
            match = matcher.search(line)
            if (match is None) is not options.has("v"):
                continue
            found += 1
            if options.has("quiet"):
                return 0
            if not options.has("count"):
                shown = match[0] if options.has("o") and match else line
                prefix = f"{number}:" if options.has("n") else ""
                data = f"{prefix}{shown}\n".encode("utf-8", "surrogateescape")
                await process.stdout.write(data)
    if options.has("count"):
        await process.out(f"{found}\n")
    return 0 if found else 1


def _basic(pattern: str, extended: bool) -> str:
    if extended:
        return pattern
    swapped = re.sub(r"\\([|(){}+?])", lambda match: f"\0{match[1]}", pattern)
    escaped = re.sub(r"(?<!\0)([|(){}+?])", r"\\\1", swapped)
    return escaped.replace("\0", "")


async def tr(process: Process) -> int:
    """-d SET, SET1 SET2."""
    options = parse_options(process.args, "d,delete s,squeeze-repeats c")
    text = (await read_all(process.stdin)).decode("utf-8", "surrogateescape")
    first = _set(options.operands[0])
    if options.has("delete"):
        result = "".join(char for char in text if char not in first)
    else:
        second = _set(options.operands[1])
        second += second[-1] * (len(first) - len(second))
        result = text.translate(str.maketrans(first, second[: len(first)]))
    await process.stdout.write(result.encode("utf-8", "surrogateescape"))
    return 0


def _set(text: str) -> str:
    plain = _escapes(text.encode()).decode()
    return re.sub(
        r"(.)-(.)",
        lambda match: "".join(chr(code) for code in range(ord(match[1]), ord(match[2]) + 1)),
        plain,
    )


async def sha256sum(process: Process) -> int:
    """Checksums as coreutils print them."""
    return await _checksums(process, "sha256")


async def md5sum(process: Process) -> int:
    """Checksums as coreutils print them."""
    return await _checksums(process, "md5")


async def _checksums(process: Process, algorithm: str) -> int:
    status = 0
    for name in [arg for arg in process.args if arg == "-" or not arg.startswith("-")] or ["-"]:
        digest = hashlib.new(algorithm)
        try:
            async for data in chunks(process, name):
                digest.update(data)
        except OSError as error:
            await process.err(f"{process.name}: {name}: {error.strerror}\n")
            status = 1
            continue
        await process.out(f"{digest.hexdigest()}  {name}\n")
    return status


async def base64(process: Process) -> int:
    """-d -w."""
    options = parse_options(process.args, "d,decode w,wrap= i")
    data = await content(process, (options.operands or ["-"])[0])
    if options.has("decode"):
        await process.stdout.write(base64_codec.b64decode(data))
        return 0
    text = base64_codec.b64encode(data)
    width = int(options.get("wrap", "76")) or len(text) or 1
    for start in range(0, len(text), width):
        await process.stdout.write(text[start : start + width] + b"\n")
    return 0


async def cmp(process: Process) -> int:
    """0 same, 1 different."""
    names = [arg for arg in process.args if not arg.startswith("-")]
    one, two = [await content(process, name) for name in names[:2]]
    if one == two:
        return 0
    await process.out(f"{names[0]} {names[1]} differ\n")
    return 1


async def tee(process: Process) -> int:
    """Standard input to files and standard output; -a."""
    options = parse_options(process.args, "a,append")
    paths = [process.path(name) for name in options.operands]
    for path in paths:
        if not options.has("append"):
            process.files.truncate(path)
    while data := await process.stdin.read(CHUNK):
        await process.stdout.write(data)
        for path in paths:
            process.files.append(path, data)
    return 0


PROGRAMS = {
    "base64": base64, "cat": cat, "cmp": cmp, "cut": cut, "echo": echo, "grep": grep,
    "head": head, "md5sum": md5sum, "printf": printf, "sha256sum": sha256sum, "sort": sort,
    "tail": tail, "tee": tee, "tr": tr, "uniq": uniq, "wc": wc,
}  # fmt: skip
