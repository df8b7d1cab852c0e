"""The shell scripts of flux/files.py: POSIX sh, and what coreutils and busybox have in common.

Whoever can write to a volume may put a link in the place of a folder or a file of it, at any
moment. So a script first stands in its folder (`cd -P`, which holds it, as an open descriptor
does), proves that this very folder lies on the mount that it should, and works on `./NAME` there.
`$1` is the mount point ('' where the path lies on no volume), `$2` the folder, and what follows
are names and numbers, never pasted into the text. Exit codes of their own:
"""

MISSING, TAKEN, DAMAGED, SOURCE_MISSING, ELSEWHERE = 44, 45, 46, 47, 48

# `set -C`: a `>` makes a new file or fails, and follows no link.
# stand MOUNT FOLDER: the working directory is that folder, reached without a link below the mount
# point, and the kernel says (mnt_id) that it belongs to the one mount that is at that point. Where
# it says no mnt_id, the innermost mount point above the folder has to do.
# plain NAME: standard input is the file ./NAME itself, on that mount too.
_STAND = r"""
export LC_ALL=C
set -C
elsewhere() {
  printf '%s\n' "$1" >&2
  exit 48
}
mount_of_stdin() {
  grep '^mnt_id:' /proc/self/fdinfo/0 2>/dev/null
}
stand() {
  if [ ! -d "$2" ]; then
    if [ -h "$2" ]; then elsewhere "$2 is a link"; fi
    exit 44
  fi
  cd -P -- "$2" || exit 1
  here=$(pwd -P && echo .) || exit 1
  here=${here%??}
  mount_id=
  if [ -z "$1" ]; then return 0; fi
  top=$(cd -P -- "$1" && pwd -P && echo .) || exit 1
  top=${top%??}
  if [ "$here" != "$top${2#"$1"}" ]; then elsewhere "$2 leads to $here"; fi
  at_top= times=0 innermost= length=0
  while read -r id parent device root point rest; do
    case $point in
      *\\*) point=$(printf '%b.' "$point"); point=${point%.} ;;
    esac
    if [ "$point" = "$top" ]; then at_top=$id times=$((times + 1)); fi
    case $here/ in
      "$point"/*)
        if [ "${#point}" -ge "$length" ]; then innermost=$id length=${#point}; fi ;;
    esac
  done < /proc/self/mountinfo
  if [ "$times" -eq 0 ]; then elsewhere "nothing is mounted at $top"; fi
  if [ "$times" -gt 1 ]; then elsewhere "$times file systems are mounted at $top"; fi
  mount_id=$(mount_of_stdin < .)
  found=${mount_id##*[!0-9]}
  if [ "${found:-$innermost}" != "$at_top" ]; then elsewhere "$2 is on another mount"; fi
}
plain() {
  if [ -h "./$1" ]; then elsewhere "$1 is a link"; fi
  if [ ! -f "./$1" ]; then elsewhere "$1 is no regular file"; fi
  open=$(stat -L -c '%d:%i' /proc/self/fd/0) || exit 1
  if [ "$open" != "$(stat -c '%d:%i' "./$1")" ]; then elsewhere "$1 was exchanged"; fi
  if [ -n "$mount_id" ] && [ "$(mount_of_stdin)" != "$mount_id" ]; then
    elsewhere "$1 is on another mount"
  fi
}
checksum() {
  { plain "$1" && sha256sum | cut -d ' ' -f 1; } < "./$1"
}
"""

_HERE = _STAND + 'stand "$1" "$2"\nshift 2\n'

# $1 ... a command, which is run in the folder.
INSIDE = _HERE + 'exec "$@"\n'

# For each regular file "SIZE MTIME\nNAME\0"; for a link to one "SIZE MTIME link\nNAME\0".
LIST = (
    _HERE
    + """\
for name in * .[!.]*; do
  if [ -h "./$name" ]; then
    if [ -f "./$name" ]; then stat -c '%s %Y link' "./$name" && printf '%s\\0' "$name"; fi
  elif [ -f "./$name" ]; then
    stat -c '%s %Y' "./$name" && printf '%s\\0' "$name"
  fi
done
exit 0
"""
)

_THERE = """\
if [ -h "./$1" ]; then elsewhere "$1 is a link"; fi
if [ ! -f "./$1" ]; then exit 44; fi
"""

# $1 file. "SIZE MTIME", checksum, and "SIZE MTIME" again, of one open file that has this name.
STAT = (
    _HERE
    + _THERE
    + """\
{
  plain "$1" && stat -L -c '%s %Y' /proc/self/fd/0 && sha256sum | cut -d ' ' -f 1 &&
    stat -L -c '%s %Y' /proc/self/fd/0 && plain "$1"
} < "./$1"
"""
)

# $1 end of the names, $2 most bytes of one file. For each file "SIZE\nNAME\0CONTENT".
READ_SMALL = (
    _HERE
    + """\
for name in *"$1"; do
  if [ ! -h "./$name" ] && [ -f "./$name" ]; then
    size=$(stat -c '%s' "./$name")
    if [ "$size" -le "$2" ]; then
      printf '%s\\n' "$size" && printf '%s\\0' "$name" && head -c "$size" < "./$name"
    fi
  fi
done
exit 0
"""
)

# $1 file, $2 number of the first byte, from 1.
READ = (
    _HERE
    + _THERE
    + """\
{ plain "$1" && tail -c "+$2"; } < "./$1"
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
there() {
  [ -e "./$1" ] || [ -h "./$1" ]
}
"""

# Nobody writes to it again; where modes are not kept that is no error.
_READ_ONLY = '{ plain "$1" && chmod a-w /proc/self/fd/0 2>/dev/null; } < "./$1"\n'

# A complete temporary file $1 becomes $2, if nothing is there. Some volumes have no hard links:
# then mv -n, which leaves its source when it did nothing.
_ENTER = (
    """\
flush "./$1" || { rm -f -- "./$1"; exit 1; }
"""
    + _READ_ONLY
    + """\
if ! there "$2" && ln -- "./$1" "./$2" 2>/dev/null; then
  rm -f -- "./$1"
elif there "$2"; then
  rm -f -- "./$1"
  exit 45
else
  mv -n -- "./$1" "./$2" || exit 1
  if there "$1"; then rm -f -- "./$1"; exit 45; fi
fi
flush . || { rm -f -- "./$2"; exit 1; }
"""
)

# $1 temporary, $2 final, $3 size, $4 sha256; the content comes on stdin, and because of `head`
# its end need not come (exec v4 cannot close it).
WRITE_NEW = (
    _HERE
    + _FLUSH
    + """\
if there "$2"; then exit 45; fi
head -c "$3" > "./$1" || { rm -f -- "./$1"; exit 1; }
if [ "$(checksum "$1")" != "$4" ]; then
  stat -c '%s bytes' "./$1" >&2
  rm -f -- "./$1"
  exit 46
fi
"""
    + _ENTER
)

# $1 temporary, $2 offset, $3 length, $4 sha256 of the piece on stdin, $5 its first byte from 1.
# Harmless to repeat: what a broken try left after the offset is cut off first. The piece goes into
# the file that was opened and found to be ./$1 itself.
APPEND = (
    _HERE
    + """\
if [ -h "./$1" ]; then elsewhere "$1 is a link"; fi
if [ ! -e "./$1" ]; then : > "./$1" || exit 1; fi
have=$(stat -c '%s' "./$1")
if [ "$have" -lt "$2" ]; then exit 44; fi
if [ "$have" -gt "$2" ]; then
  rm -f -- "./$1.cut"
  { plain "$1" && head -c "$2"; } < "./$1" > "./$1.cut" || exit 1
  mv -f -- "./$1.cut" "./$1" || exit 1
fi
{
  open=$(stat -L -c '%d:%i' /proc/self/fd/3)
  if [ -h "./$1" ] || [ "$open" != "$(stat -c '%d:%i' "./$1")" ]; then
    elsewhere "$1 was exchanged"
  fi
  if [ -n "$mount_id" ] && [ "$(grep '^mnt_id:' /proc/self/fdinfo/3)" != "$mount_id" ]; then
    elsewhere "$1 is on another mount"
  fi
  head -c "$3" >&3 || exit 1
} 3>> "./$1"
if [ "$({ plain "$1" && tail -c "+$5"; } < "./$1" | sha256sum | cut -d ' ' -f 1)" != "$4" ]; then
  stat -c '%s bytes' "./$1" >&2
  exit 46
fi
"""
)

# $1 temporary, $2 final, $3 sha256: a file that was put together piece by piece.
ENTER_WHOLE = (
    _HERE
    + _FLUSH
    + """\
if there "$2"; then rm -f -- "./$1"; exit 45; fi
if [ "$(checksum "$1")" != "$3" ]; then
  stat -c '%s bytes' "./$1" >&2
  rm -f -- "./$1"
  exit 46
fi
"""
    + _ENTER
)

# $1 temporary, $2 final, $3 mount of the source, $4 its folder, $5 its name.
COPY_NEW = (
    _HERE
    + _FLUSH
    + """\
if there "$2"; then exit 45; fi
(
  stand "$3" "$4"
  if [ -h "./$5" ]; then elsewhere "$5 is a link"; fi
  if [ ! -f "./$5" ]; then exit 47; fi
  { plain "$5" && cat; } < "./$5"
) > "./$1"
code=$?
if [ "$code" -eq 44 ]; then code=47; fi
if [ "$code" -ne 0 ]; then rm -f -- "./$1"; exit "$code"; fi
"""
    + _ENTER
)

# $1 source, $2 final, in one folder; $3 temporary, for where there are no links.
LINK_NEW = (
    _HERE
    + _THERE
    + _FLUSH
    + """\
if there "$2"; then exit 45; fi
flush "./$1" || exit 1
"""
    + _READ_ONLY
    + """\
if ln -- "./$1" "./$2" 2>/dev/null; then
  flush . || { rm -f -- "./$2"; exit 1; }
  exit 0
fi
if there "$2"; then exit 45; fi
{ plain "$1" && cat; } < "./$1" > "./$3" || { rm -f -- "./$3"; exit 1; }
set -- "$3" "$2"
"""
    + _ENTER
)

# $1 file; without its folder there is nothing to remove.
REMOVE = (
    _STAND
    + """\
if [ ! -d "$2" ] && [ ! -h "$2" ]; then exit 0; fi
stand "$1" "$2"
rm -f -- "./$3"
"""
)

# $2 is a folder that is there, and $3 a new name; the names after it become folders, each in the
# one before. A new folder gets owner and mode of the one that it is in: `exec` may come as another
# user than the broker's, which dumps into it (v1alpha1: root, and sudo -u flux). It gets them
# while it is held (`.`), empty and private, and its name after that; nobody's link is followed.
MKDIR = (
    _STAND
    + """\
mount=$1 temporary=$3
stand "$1" "$2"
shift 3
inner() {
  if [ -n "$mount" ] && [ -h "./$1" ]; then elsewhere "$here/$1 is a link"; fi
  [ -d "./$1" ]
}
make() {
  mode=$(stat -c %a .) owner=$(stat -c %u:%g .)
  mkdir -m 700 -- "./$temporary" || exit 1
  (
    cd -P -- "./$temporary" || exit 1
    if [ "$(pwd -P && echo .)" != "$here/$temporary
." ] || [ "$(stat -c %a .)" != 700 ]; then elsewhere "$here/$temporary was exchanged"; fi
    for inside in * .[!.]*; do
      if [ -e "./$inside" ]; then elsewhere "$here/$temporary was exchanged"; fi
    done
    chmod "$mode" . 2>/dev/null || :
    chown "$owner" . 2>/dev/null || :
  ) || exit
  made=$(stat -c '%d:%i' "./$temporary")
  if ! mv -n -T -- "./$temporary" "./$1" 2>/dev/null; then
    if [ -e "./$1" ] || [ -h "./$1" ]; then :; else mv -n -- "./$temporary" "./$1"; fi
  fi
  rmdir -- "./$temporary" 2>/dev/null
  if [ "$made" != "$(stat -c '%d:%i' "./$1")" ]; then
    rmdir -- "./$1/$temporary" 2>/dev/null
    inner "$1" || exit 1
  fi
}
for name in "$@"; do
  if ! inner "$name"; then
    if [ -e "./$name" ]; then
      echo "$here/$name: Not a directory" >&2
      exit 1
    fi
    make "$name"
  fi
  cd -P -- "./$name" || exit 1
  now=$(pwd -P && echo .) || exit 1
  now=${now%??}
  if [ -n "$mount" ] && [ "$now" != "${here%/}/$name" ]; then
    elsewhere "$here/$name leads to $now"
  fi
  here=$now
  if [ -n "$mount_id" ] && [ "$(mount_of_stdin < .)" != "$mount_id" ]; then
    elsewhere "$here is on another mount"
  fi
done
"""
)

# The fourth column of the last line is the room in KiB.
FREE = _HERE + "df -Pk .\n"

# $3 "w" if it is going to be written to. Of the folder, or of the nearest one above it that is
# there: "UID:GID ok" or "UID:GID no", by whether all in it may be read and it may be written to.
ACCESS = (
    _STAND
    + """\
folder=$2
while [ ! -d "$folder" ] && [ ! -h "$folder" ]; do folder=$(dirname -- "$folder"); done
may=ok
if [ ! -r "$folder" ] || [ ! -x "$folder" ]; then may=no; fi
if [ "$3" = w ] && [ ! -w "$folder" ]; then may=no; fi
if [ -x "$folder" ]; then
  stand "$1" "$folder"
  folder=.
fi
for file in "$folder"/*; do
  if [ ! -h "$file" ] && [ -f "$file" ] && [ ! -r "$file" ]; then may=no; fi
done
echo "$(stat -L -c '%u:%g' "$folder") $may"
"""
)
