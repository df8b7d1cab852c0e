"""The shell scripts of flux/files.py: POSIX sh, and what coreutils and busybox have in common.

`$1` ... are paths and numbers, never pasted into the text. Their own exit codes:
"""

MISSING, TAKEN, DAMAGED, SOURCE_MISSING = 44, 45, 46, 47

_C = "export LC_ALL=C\n"

# $1 folder. For each regular file "SIZE MTIME\nNAME\0".
LIST = (
    _C
    + """\
if [ ! -d "$1" ]; then exit 44; fi
cd "$1" || exit 1
for name in * .[!.]*; do
  if [ -f "./$name" ]; then
    stat -L -c '%s %Y' "./$name" && printf '%s\\0' "$name"
  fi
done
exit 0
"""
)

# $1 file. "SIZE MTIME", checksum, and "SIZE MTIME" again.
STAT = (
    _C
    + """\
if [ ! -f "$1" ]; then exit 44; fi
stat -L -c '%s %Y' "$1" && sha256sum < "$1" | cut -d ' ' -f 1 && stat -L -c '%s %Y' "$1"
"""
)

# $1 folder, $2 end of the names, $3 most bytes of one file. For each file "SIZE\nNAME\0CONTENT".
READ_SMALL = (
    _C
    + """\
if [ ! -d "$1" ]; then exit 44; fi
cd "$1" || exit 1
for name in *"$2"; do
  if [ -f "./$name" ] && [ "$(stat -L -c '%s' "./$name")" -le "$3" ]; then
    stat -L -c '%s' "./$name" && printf '%s\\0' "$name" && cat "./$name"
  fi
done
exit 0
"""
)

# $1 file, $2 number of the first byte, from 1.
READ = (
    _C
    + """\
if [ ! -f "$1" ]; then exit 44; fi
exec tail -c "+$2" "$1"
"""
)

# What the disk refused to take is lost, whatever a second flush says (P3, "fsyncgate"); a `sync`
# that knows no files, or a file system that knows no flush, is no such refusal.
_FLUSH = """\
flush() {
  said=$(sync "$1" 2>&1) && return 0
  case $said in
    *"Input/output error"*|*"I/O error"*|*"No space left"*|*"uota exceeded"*)
      echo "$said" >&2
      return 1 ;;
  esac
  sync
}
"""

# Nobody writes to it again; where modes are not kept that is no error.
_READ_ONLY = 'chmod a-w "$2" 2>/dev/null\n'

# A complete temporary file $1 becomes $2 in folder $3, if nothing is there. Some volumes have no
# hard links: then mv -n, which leaves its source when it did nothing.
_ENTER = (
    """\
flush "$1" || { rm -f "$1"; exit 1; }
if [ ! -e "$2" ] && ln "$1" "$2" 2>/dev/null; then
  rm -f "$1"
elif [ -e "$2" ]; then
  rm -f "$1"
  exit 45
else
  mv -n "$1" "$2" || exit 1
  if [ -e "$1" ]; then rm -f "$1"; exit 45; fi
fi
"""
    + _READ_ONLY
    + """\
flush "$3" || { rm -f "$2"; exit 1; }
"""
)

# $1 temporary, $2 final, $3 folder, $4 size, $5 sha256; the content comes on stdin, and because
# of `head` its end need not come (exec v4 cannot close it).
WRITE_NEW = (
    _C
    + _FLUSH
    + """\
if [ -e "$2" ]; then exit 45; fi
head -c "$4" > "$1" || { rm -f "$1"; exit 1; }
if [ "$(sha256sum < "$1" | cut -d ' ' -f 1)" != "$5" ]; then
  stat -c '%s bytes' "$1" >&2
  rm -f "$1"
  exit 46
fi
"""
    + _ENTER
)

# $1 temporary, $2 offset, $3 length, $4 sha256 of the piece on stdin, $5 its first byte from 1.
# Harmless to repeat: what a broken try left after the offset is cut off first.
APPEND = (
    _C
    + """\
: >> "$1" || exit 1
have=$(stat -c '%s' "$1")
if [ "$have" -lt "$2" ]; then exit 44; fi
if [ "$have" -gt "$2" ]; then
  head -c "$2" "$1" > "$1.cut" || exit 1
  mv "$1.cut" "$1" || exit 1
fi
head -c "$3" >> "$1" || exit 1
if [ "$(tail -c "+$5" "$1" | sha256sum | cut -d ' ' -f 1)" != "$4" ]; then
  stat -c '%s bytes' "$1" >&2
  exit 46
fi
"""
)

# $1 temporary, $2 final, $3 folder, $4 sha256: a file that was put together piece by piece.
ENTER_WHOLE = (
    _C
    + _FLUSH
    + """\
if [ -e "$2" ]; then rm -f "$1"; exit 45; fi
if [ "$(sha256sum < "$1" | cut -d ' ' -f 1)" != "$4" ]; then
  stat -c '%s bytes' "$1" >&2
  rm -f "$1"
  exit 46
fi
"""
    + _ENTER
)

# $1 temporary, $2 final, $3 folder, $4 source.
COPY_NEW = (
    _C
    + _FLUSH
    + """\
if [ ! -f "$4" ]; then exit 47; fi
if [ -e "$2" ]; then exit 45; fi
cp "$4" "$1" || { rm -f "$1"; exit 1; }
"""
    + _ENTER
)

# $1 source, $2 final, $3 folder, $4 temporary, for where there are no links.
LINK_NEW = (
    _C
    + _FLUSH
    + """\
if [ ! -f "$1" ]; then exit 44; fi
if [ -e "$2" ]; then exit 45; fi
flush "$1" || exit 1
if ln "$1" "$2" 2>/dev/null; then
  chmod a-w "$2" 2>/dev/null
  flush "$3" || { rm -f "$2"; exit 1; }
  exit 0
fi
if [ -e "$2" ]; then exit 45; fi
cp "$1" "$4" || { rm -f "$4"; exit 1; }
set -- "$4" "$2" "$3"
"""
    + _ENTER
)

REMOVE = _C + 'rm -f "$1"\n'

# A new folder gets owner and mode of the one that it is in: `exec` may come as another user than
# the broker's, which dumps into it (v1alpha1: root, and sudo -u flux).
MKDIR = (
    _C
    + """\
if [ -d "$1" ]; then exit 0; fi
mkdir -p "$1" || exit $?
above=$(dirname "$1")
chmod "$(stat -c %a "$above")" "$1" 2>/dev/null || :
chown "$(stat -c %u:%g "$above")" "$1" 2>/dev/null || :
"""
)

# $1 folder. The fourth column of the last line is the room in KiB.
FREE = (
    _C
    + """\
if [ ! -d "$1" ]; then exit 44; fi
df -Pk "$1"
"""
)

# $1 folder, $2 "w" if it is going to be written to. Of it, or of the nearest folder above that is
# there: "UID:GID ok" or "UID:GID no", by whether all in it may be read and it may be written to.
ACCESS = (
    _C
    + """\
folder=$1
while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
may=ok
if [ ! -r "$folder" ] || [ ! -x "$folder" ]; then may=no; fi
if [ "$2" = w ] && [ ! -w "$folder" ]; then may=no; fi
for file in "$folder"/*; do
  if [ -f "$file" ] && [ ! -r "$file" ]; then may=no; fi
done
echo "$(stat -L -c '%u:%g' "$folder") $may"
"""
)
