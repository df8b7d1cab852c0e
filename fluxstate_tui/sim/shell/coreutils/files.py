"""Programs that work on files: ls stat cp mv ln rm mkdir rmdir touch chmod chown df sync ..."""

from __future__ import annotations

import posixpath
import re
import stat as stat_bits
from datetime import UTC, datetime

from fluxstate_tui.sim.files import FileStat
from fluxstate_tui.sim.shell.options import parse_options
from fluxstate_tui.sim.shell.proc import descriptor
from fluxstate_tui.sim.shell.process import Process, UsageError

_OWNERS = {0: "root", 65534: "nobody", 1000: "flux"}


def _owner(uid: int) -> str:
    return _OWNERS.get(uid, str(uid))


def _line(name: str, info: FileStat) -> list[str]:
    when = datetime.fromtimestamp(info.mtime, UTC).strftime("%b %e %H:%M")
    shown = f"{name} -> {info.target}" if info.target else name
    owner = _owner(info.uid)
    return [
        stat_bits.filemode(info.mode),
        str(info.links),
        owner,
        owner,
        str(info.size),
        when,
        shown,
    ]


def _table(rows: list[list[str]]) -> str:
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(6)]
    lines = []
    for row in rows:
        cells = [
            row[0], row[1].rjust(widths[1]), row[2].ljust(widths[2]), row[3].ljust(widths[3]),
            row[4].rjust(widths[4]), row[5], row[6],
        ]  # fmt: skip
        lines.append(" ".join(cells) + "\n")
    return "".join(lines)


async def ls(process: Process) -> int:
    """-l -a -A -1 -d -h -t."""
    options = parse_options(process.args, "l a,all A,almost-all 1 d,directory h t r R color=?")
    status = 0
    targets = options.operands or ["."]
    hidden = options.has("all") or options.has("almost-all")
    for index, target in enumerate(targets):
        path = process.path(target)
        try:
            info = process.files.stat(path, follow=not options.has("l"))
        except OSError as error:
            await process.err(f"ls: cannot access '{target}': {error.strerror}\n")
            status = 2
            continue
        if not info.is_dir or options.has("directory"):
            await process.out(_table([_line(target, info)]) if options.has("l") else target + "\n")
            continue
        if len(targets) > 1:
            await process.out(("\n" if index else "") + f"{target}:\n")
        await process.out(_folder(process, path, long=options.has("l"), hidden=hidden))
    return status


def _folder(process: Process, path: str, *, long: bool, hidden: bool) -> str:
    names = [name for name in process.files.listdir(path) if hidden or not name.startswith(".")]
    if not long:
        return "".join(name + "\n" for name in names)
    infos = [process.files.stat(posixpath.join(path, name), follow=False) for name in names]
    blocks = sum(-(-info.size // 4096) * 4 for info in infos)
    rows = [_line(name, info) for name, info in zip(names, infos, strict=True)]
    return f"total {blocks}\n" + _table(rows)


async def stat(process: Process) -> int:
    """-c FORMAT with %n %s %Y %i %d %h %a %F %U %u %g; -L."""
    options = parse_options(process.args, "c,format= printf= L,dereference f,file-system t")
    if not options.operands:
        raise UsageError("missing operand")
    status = 0
    for name in options.operands:
        try:
            info = _stat(process, name, follow=options.has("dereference"))
        except OSError as error:
            await process.err(f"stat: cannot statx '{name}': {error.strerror}\n")
            status = 1
            continue
        form = options.get("format") or "  File: %n\n  Size: %s\tLinks: %h\nModify: %y"
        await process.out(_stat_format(form, name, info) + "\n")
    return status


def _stat(process: Process, name: str, *, follow: bool) -> FileStat:
    path = process.path(name)
    opened = descriptor(process, path) if follow else None
    return opened.stat() if opened is not None else process.files.stat(path, follow=follow)


def _stat_format(form: str, name: str, info: FileStat) -> str:
    kinds = {stat_bits.S_IFDIR: "directory", stat_bits.S_IFLNK: "symbolic link"}
    kinds[stat_bits.S_IFSOCK] = "socket"
    kind = kinds.get(stat_bits.S_IFMT(info.mode), "regular file")
    if kind == "regular file" and not info.size:
        kind = "regular empty file"
    values = {
        "n": name, "s": str(info.size), "Y": str(int(info.mtime)), "i": str(info.inode),
        "h": str(info.links), "a": oct(stat_bits.S_IMODE(info.mode))[2:], "F": kind,
        "u": str(info.uid), "g": str(info.uid), "d": str(info.device),
        "U": _owner(info.uid), "%": "%",
        "y": datetime.fromtimestamp(info.mtime, UTC).strftime("%Y-%m-%d %H:%M:%S.%f000 +0000"),
    }  # fmt: skip
    return re.sub(r"%(.)", lambda match: values.get(match[1], "?"), form)


def _into(process: Process, target: str, source: str) -> str:
    """The path of a copy: inside `target` when that is a folder."""
    path = process.path(target)
    if process.files.exists(path) and process.files.stat(path).is_dir:
        return posixpath.join(path, posixpath.basename(posixpath.normpath(source)))
    return path


async def cp(process: Process) -> int:
    """-f -p -a -n -r/-R (a folder's tree)."""
    options = parse_options(
        process.args, "f,force p a,archive n,no-clobber r,recursive R v L T reflink=?"
    )
    if len(options.operands) < 2:
        raise UsageError("missing file operand")
    *sources, target = options.operands
    recursive = options.has("recursive") or options.has("archive") or options.has("R")
    status = 0
    for source in sources:
        try:
            info = process.files.stat(process.path(source))
            if info.is_dir and not recursive:
                await process.err(f"cp: -r not specified; omitting directory '{source}'\n")
                status = 1
                continue
        except OSError as error:
            await process.err(f"cp: cannot stat '{source}': {error.strerror}\n")
            status = 1
            continue
        place = _into(process, target, source)
        if options.has("no-clobber") and process.files.exists(place):
            continue
        try:
            _copy_tree(process, process.path(source), place)
        except OSError as error:
            reason = "error writing" if error.errno == 28 else "cannot create regular file"
            await process.err(f"cp: {reason} '{target}': {error.strerror}\n")
            status = 1
    return status


def _copy_tree(process: Process, source: str, target: str) -> None:
    files = process.files
    if not files.stat(source).is_dir:
        files.write(target, files.read(source))
        return
    files.makedirs(target)
    for name in files.listdir(source):
        _copy_tree(process, posixpath.join(source, name), posixpath.join(target, name))


async def mv(process: Process) -> int:
    """-f -n."""
    options = parse_options(process.args, "f,force n,no-clobber v T,no-target-directory")
    if len(options.operands) < 2:
        raise UsageError("missing file operand")
    *sources, target = options.operands
    status = 0
    for source in sources:
        place = process.path(target)
        if not options.has("no-target-directory"):
            place = _into(process, target, source)
        if options.has("no-clobber") and process.files.exists(place):
            continue
        try:
            _move(process, process.path(source), place)
        except OSError as error:
            if error.errno == 2 and not process.files.exists(process.path(source)):
                await process.err(f"mv: cannot stat '{source}': {error.strerror}\n")
            else:
                await process.err(f"mv: cannot move '{source}' to '{target}': {error.strerror}\n")
            status = 1
    return status


def _move(process: Process, source: str, target: str) -> None:
    """rename, or copy and remove across file systems."""
    files = process.files
    try:
        files.rename(source, target)
    except OSError as error:
        if error.errno != 18:
            raise
        files.write(target, files.read(source))
        files.unlink(source)


async def ln(process: Process) -> int:
    """-s -f -n -T."""
    options = parse_options(process.args, "s,symbolic f,force n T")
    if len(options.operands) != 2:
        raise UsageError("missing file operand")
    source, target = options.operands
    place = process.path(target)
    if not (options.has("n") or options.has("T")):
        place = _into(process, target, source)
    kind = "symbolic" if options.has("symbolic") else "hard"
    try:
        if options.has("force") and process.files.exists(place):
            process.files.unlink(place)
        if options.has("symbolic"):
            process.files.symlink(source, place)
        else:
            process.files.link(process.path(source), place)
    except OSError as error:
        if error.errno == 2:
            await process.err(f"ln: failed to access '{source}': {error.strerror}\n")
        else:
            text = f"failed to create {kind} link '{target}'"
            text += "" if kind == "symbolic" or error.errno == 17 else f" => '{source}'"
            await process.err(f"ln: {text}: {error.strerror}\n")
        return 1
    return 0


async def rm(process: Process) -> int:
    """-f -r."""
    options = parse_options(process.args, "f,force r,recursive R v d")
    recursive = options.has("recursive") or options.has("R")
    status = 0
    for name in options.operands:
        path = process.path(name)
        try:
            if process.files.stat(path, follow=False).is_dir and not recursive:
                await process.err(f"rm: cannot remove '{name}': Is a directory\n")
                status = 1
                continue
            _remove_tree(process, path)
        except OSError as error:
            if error.errno != 2 or not options.has("force"):
                await process.err(f"rm: cannot remove '{name}': {error.strerror}\n")
                status = 1
    return status


def _remove_tree(process: Process, path: str) -> None:
    files = process.files
    if not files.stat(path, follow=False).is_dir:
        files.unlink(path)
        return
    for name in files.listdir(path):
        _remove_tree(process, posixpath.join(path, name))
    files.rmdir(path)


async def mkdir(process: Process) -> int:
    """-p -m."""
    options = parse_options(process.args, "p,parents m,mode= v")
    status = 0
    for name in options.operands:
        try:
            if options.has("parents"):
                process.files.makedirs(process.path(name))
            else:
                process.files.mkdir(process.path(name))
            if options.has("mode"):
                process.files.chmod(process.path(name), int(options.get("mode"), 8))
        except OSError as error:
            await process.err(f"mkdir: cannot create directory '{name}': {error.strerror}\n")
            status = 1
    return status


async def rmdir(process: Process) -> int:
    """Empty folders only."""
    for name in parse_options(process.args, "p").operands:
        try:
            process.files.rmdir(process.path(name))
        except OSError as error:
            return await process.fail(f"failed to remove '{name}': {error.strerror}")
    return 0


async def touch(process: Process) -> int:
    """-d @SECONDS."""
    options = parse_options(process.args, "c a m d,date= r= t=")
    when = options.get("date")
    stamp = float(when[1:]) if when.startswith("@") else None
    for name in options.operands:
        try:
            process.files.touch(process.path(name), stamp)
        except OSError as error:
            return await process.fail(f"cannot touch '{name}': {error.strerror}")
    return 0


async def chmod(process: Process) -> int:
    """Octal modes, +x and a-w."""
    words = [word for word in process.args if word != "--"]
    if len(words) < 2:
        raise UsageError("missing operand")
    mode, *names = words
    for name in names:
        path = process.path(name)
        opened = descriptor(process, path)
        if opened is not None and mode == "a-w":
            opened.node.mode &= ~0o222
            continue
        try:
            bits = stat_bits.S_IMODE(process.files.stat(path).mode)
            changed = bits & ~0o222 if mode == "a-w" else bits | 0o111
            process.files.chmod(path, int(mode, 8) if mode.isdigit() else changed)
        except OSError as error:
            return await process.fail(f"cannot access '{name}': {error.strerror}")
    return 0


async def chown(process: Process) -> int:
    """UID:GID by number; -h. There are no groups here."""
    options = parse_options(process.args, "h,no-dereference R")
    owner, *names = options.operands
    uid = int(owner.partition(":")[0])
    for name in names:
        try:
            process.files.chown(process.path(name), uid, follow=not options.has("h"))
        except OSError as error:
            return await process.fail(f"cannot access '{name}': {error.strerror}")
    return 0


async def sync(process: Process) -> int:
    """Everything is in memory anyway; a missing file is an error."""
    for name in [arg for arg in process.args if not arg.startswith("-")]:
        if not process.files.exists(process.path(name)):
            return await process.fail(f"error opening '{name}': No such file or directory")
    return 0


async def df(process: Process) -> int:
    """-P -k -h of a path's volume, in KiB."""
    options = parse_options(process.args, "P,portability k h,human-readable B,block-size= T")
    lines = ["Filesystem     1024-blocks      Used Available Capacity Mounted on\n"]
    for name in options.operands or ["/"]:
        path = process.path(name)
        if not process.files.exists(path):
            return await process.fail(f"{name}: No such file or directory")
        point, volume = process.files.mount_of(path)
        total = (volume.capacity if volume.capacity is not None else 1 << 40) // 1024
        used = -(-volume.used // 1024)
        free = max(0, total - used)
        percent = -(-used * 100 // total) if total else 100
        lines.append(f"{volume.name:<14} {total:>11} {used:>9} {free:>9} {percent:>7}% {point}\n")
    await process.out("".join(lines))
    return 0


async def readlink(process: Process) -> int:
    """The target of a link; -f gives the path itself."""
    options = parse_options(process.args, "f,canonicalize e m n")
    for name in options.operands:
        path = process.path(name)
        try:
            info = process.files.stat(path, follow=False)
        except OSError:
            return 1
        if not info.target and not options.has("canonicalize"):
            return 1
        await process.out((info.target or path) + "\n")
    return 0


async def mktemp(process: Process) -> int:
    """-d, and a template whose X's are replaced."""
    options = parse_options(process.args, "d,directory p,tmpdir= t u q suffix=")
    template = options.operands[0] if options.operands else "/tmp/tmp.XXXXXXXXXX"
    xs = re.search(r"X{3,}(?!.*X)", template)
    if xs is None:
        return await process.fail(f"too few X's in template '{template}'")
    number = f"{process.pid:0{len(xs[0])}d}"[-len(xs[0]) :]
    name = template[: xs.start()] + number + template[xs.end() :] + options.get("suffix")
    path = process.path(name)
    if options.has("directory"):
        process.files.mkdir(path)
    else:
        process.files.truncate(path)
    await process.out(name + "\n")
    return 0


PROGRAMS = {
    "chmod": chmod, "chown": chown, "cp": cp, "df": df, "ln": ln, "ls": ls, "mkdir": mkdir,
    "mktemp": mktemp, "mv": mv, "readlink": readlink, "rm": rm, "rmdir": rmdir, "stat": stat,
    "sync": sync, "touch": touch,
}  # fmt: skip
