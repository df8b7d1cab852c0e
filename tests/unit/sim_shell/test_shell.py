"""The shell of a simulated container does what POSIX sh and bash do."""

from __future__ import annotations

import asyncio
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxstate_tui.sim.shell.parser import parse
from fluxstate_tui.sim.shell.syntax import SyntaxProblem
from tests.unit.sim_shell.inside import Inside

SCRIPTS = [
    "echo 'a  b' \"c  d\" e\\ f",
    "x='1  2'; echo $x \"$x\"",
    'echo ${nope:-default} ${nope-} "${x:=set}" $x ${x:+alt} ${#x}',
    "p=/a/b.tar.gz; echo ${p##*/} ${p%.gz} ${p%%.*} ${p#/a}",
    "echo $((1 + 2 * 3)) $((7 / 2)) $((5 % 3)); i=4; echo $((i - 1))",
    "true && echo yes || echo no; false && echo yes || echo no",
    "if false; then echo a; elif true; then echo b; else echo c; fi",
    "for i in 1 2 3; do echo $i; done | tail -n 1",
    "i=0; while [ $i -lt 3 ]; do i=$((i+1)); if [ $i = 2 ]; then continue; fi; echo $i; done",
    "until true; do echo never; done; for i in 1 2 3; do [ $i = 2 ] && break; echo $i; done",
    "case abc.gz in *.tar) echo tar;; *.gz|*.xz) echo packed;; *) echo other;; esac",
    'f() { echo "f:$1:$#"; return 3; }; f a b; echo $?',
    'set -- \'a b\' c; for w in "$@"; do echo "<$w>"; done; shift; echo $# $1',
    'echo "$(echo inner; echo more)" `echo old`',
    "cat <<EOF\nhello $((1+1)) ${HOME:+home}\nEOF\ncat <<'EOF'\n$raw\nEOF",
    "(cd /; echo sub); { echo group; } > /dev/null; echo done",
    "echo err >&2; echo out 2>&1; ls /nonexistent 2>/dev/null; echo $?",
    "printf '%s|' a b c; printf '%d %05d %x\\n' 3 42 255; printf '%s\\n' one two",
    'echo one two three | { read a b; echo "$b/$a"; }',
    "printf 'a\\nb\\nc\\n' | while read line; do echo \"-$line\"; done",
    "! true; echo $?; ! false; echo $?",
    "exit 7",
    "set -e; false || echo kept; if false; then :; fi; echo before; false; echo after",
    "(exit 3); echo $?; sh -c 'exit 4'; echo $?",
    "A=1; export A; sh -c 'echo $A'; B=2 sh -c 'echo $B'; echo \"[$B]\"",
    "eval 'echo evaluated'; command -v echo >/dev/null && echo found",
    "test -d / && [ ! -e /nonexistent ] && [ -n x ] && [ -z '' ] && [ 2 -gt 1 ] && echo all",
    "echo 'it''s' \"a'b\" 'c\"d'; echo $'tab\\there'",
    "nosuchcommand 2>/dev/null; echo $?",
    "x=$(exit 5); echo $?; echo ${x}end",
    "false; code=$?; echo $code; (exit 47) > /dev/null\ncode=$?\necho $code; y=1; echo $?",
    "seq 5 | head -2; seq 5 | tail -n +4; seq 3 | wc -l | tr -d ' '",
    "printf 'b\\na\\nb\\n' | sort | uniq; echo a-b-c | cut -d - -f 2,3",
    "echo hello | grep -c l; echo hello | grep -q x || echo none",
    "basename /a/b.txt .txt; dirname /a/b/c; echo abc | tr a-c A-C",
    "dirname -- /a/b; dirname /a; basename -- /a/b",
    "echo a; # a comment\necho b#c",
    "kill -TERM $$; echo never",
    "x=1\ny=2; if [ $x -eq 1 -a $y -eq 2 ]; then echo both; fi",
    'for f in /nonexistent/*.x; do echo "$f"; done',
    "trap 'echo bye' EXIT; echo hi",
    "echo x | sha256sum | cut -c 1-8; printf abc | base64",
    "unset x; echo ${x:?missing}; echo never",
    'echo "a\\"b \\$x \\\\"',
    "printf '%s' 'no newline' | wc -c | tr -d ' '",
    "f() { local v=1; echo $v; }; f; echo a | { cat; }",
]


@pytest.mark.parametrize("script", SCRIPTS)
async def test_it_does_what_the_real_bash_does(script: str) -> None:
    real = await asyncio.to_thread(
        subprocess.run,
        ["/bin/bash", "-c", script],
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={"PATH": "/usr/bin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"},
    )
    ran = await Inside().run("/bin/bash", "-c", script)
    # A process that a signal ended has a negative code here; in a container that is 128 + signal.
    code = real.returncode if real.returncode >= 0 else 128 - real.returncode
    assert (ran.out, ran.code) == (real.stdout.decode(), code)


@pytest.mark.parametrize(
    "script", ["echo 'unterminated", "if true; then", "for", "fi", "echo $(", "| cat", "a && "]
)
async def test_what_is_no_command_is_a_syntax_error(script: str) -> None:
    ran = await Inside().sh(script)
    assert ran.code == 2
    assert ran.err.startswith("sh: -c: line 1: ")


async def test_braces_expand_as_in_bash() -> None:
    ran = await Inside().sh("echo {1..5} {a,b}x '{1..2}' {3..1}")
    assert ran.out == "1 2 3 4 5 ax bx {1..2} 3 2 1\n"


async def test_globs_match_and_unmatched_ones_stay() -> None:
    ran = await Inside().sh(
        "cd /state; echo 1 > b; echo 2 > .a; for n in * .[!.]* *.x; do echo $n; done"
    )
    assert ran.out.split() == ["b", ".a", "*.x"]


async def test_redirections_write_append_and_read() -> None:
    ran = await Inside().sh(
        "cd /state; echo one > f; echo two >> f; cat < f; wc -l < f | tr -d ' '; "
        "ls nope > all 2>&1; cat all"
    )
    assert ran.out.splitlines()[:3] == ["one", "two", "2"]
    assert ran.out.splitlines()[3].startswith("ls: cannot access 'nope'")


async def test_a_pipeline_whose_reader_leaves_ends() -> None:
    ran = await Inside().sh("while true; do echo y; done | head -n 2; echo $?")
    assert ran.out == "y\ny\n0\n"


async def test_background_jobs_are_waited_for() -> None:
    inside = Inside()
    before = inside.clock.now()
    ran = await inside.sh("sleep 5 & sleep 3 & wait; echo done")
    assert ran.out == "done\n"
    assert 5 <= inside.clock.now() - before < 5.1


async def test_commands_from_standard_input_run_one_after_the_other() -> None:
    text = b"x=1\nfor i in 1 2\ndo echo $i$x\ndone\ncat\nthis is for cat\n"
    ran = await Inside().run("/bin/bash", stdin=text)
    assert ran.out == "11\n21\nthis is for cat\n"


async def test_a_terminal_has_a_prompt_and_an_echo() -> None:
    ran = await Inside().run("/bin/bash", stdin=b"echo hx\x7fi\rexit 3\r", tty=True)
    assert ran.code == 3
    # What is typed ahead is shown as it comes, as by a real terminal.
    assert ran.out == "root@host-0:/# echo hx\b \bi\r\nexit 3\r\nhi\r\nroot@host-0:/# "
    assert ran.err == ""


async def test_scripts_can_be_files_with_arguments() -> None:
    inside = Inside()
    inside.files.write("/state/s.sh", b'#!/bin/sh\necho "$0 $1 $#"\n', mode=0o755)
    assert (await inside.run("/state/s.sh", "a", "b")).out == "/state/s.sh a 2\n"
    assert (await inside.run("sh", "/state/s.sh", "a")).out == "/state/s.sh a 1\n"
    assert (await inside.run("sh", "/state/nope")).code == 127


async def test_sourcing_changes_this_shell() -> None:
    inside = Inside()
    inside.files.write("/state/env", b"export A=1\nB=2\n")
    ran = await inside.sh('. /state/env; echo $A$B; sh -c "echo [\\$B]"; . /nope; echo still')
    assert ran.out == "12\n[]\nstill\n"


async def test_endless_nesting_ends_the_shell_and_nothing_else() -> None:
    assert (await Inside().sh("f() { f; }; f")).code == 139
    assert (await Inside().sh("echo " + "$(" * 3000 + ")" * 3000)).code in (2, 139)


@given(st.text(alphabet="ab $(){}[]'\"`\\;&|<>\n=#*!-:%/0\0é", max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_command_or_a_syntax_error(text: str) -> None:
    try:
        parse(text)
    except SyntaxProblem as problem:
        assert str(problem)
