"""What code decides by is a type: no code looks into a sentence that was made for people."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import fluxstate_tui

PACKAGE = Path(fluxstate_tui.__file__).parent
# Fields of our types that hold sentences, or words of others that are shown as they are.
SENTENCES = re.compile(
    "advice|detail|disable_reason|evidence|line|message|preview|problems?|question|read_back"
    "|reason|safe|said|says|stop_reason|text|title|unreachable|unschedulable|warnings?|why|words"
)
LOOKS = re.compile(
    "count|endswith|find|findall|finditer|fullmatch|r?index|match|r?partition|removeprefix"
    "|removesuffix|rfind|r?split|search|splitlines|startswith"
)
# What others wrote, read in the place that knows their words, and whose words they are.
FOREIGN = {
    "broker/commands.py": {"self.said": "what a flux command says is all that it tells"},
    "broker/session.py": {"self.why": "what Python and flux say that did not start"},
    "cli/get_run.py": {"container.reason": "the kubelet's own word for it"},
    "kube/auth.py": {"str(error)": "of a credential plugin, put on one line"},
    "kube/connection_errors.py": {"error.message": "of aiohttp, put on one line"},
    "kube/errors.py": {"self.reason": "the API's own word for it (metav1.StatusReason)"},
    "minicluster/phase.py": {
        "pod.unschedulable": "the scheduler's sentence, shortened",
        "container.reason": "the kubelet's own word for it",
        "container.message": "the kubelet names the image in its sentence only",
        "e.reason": "the word for it of who made that event",
    },
    "operations/snapshot.py": {
        "queue.stop_reason": "a queue has no other place for the mark of who stopped it",
        "queue.disable_reason": "nor for the mark of who closed it",
    },
    "tui/screens/jobs/job.py": {"piece.text": "what a job printed, without its last line's end"},
    "tui/theme.py": {"str(error)": "of the reader of themes, its first line"},
}
# Its rules read what pods, events and logs say: the words of Kubernetes and of Flux.
EVIDENCE = "diagnosis/rules/"


def looks(tree: ast.AST) -> Iterator[ast.expr]:
    """Every sentence that something is asked of."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=value, attr=name), args=args):
                if LOOKS.fullmatch(name):
                    yield from filter(is_sentence, (value, *args))
            case ast.Compare(left=left, ops=ops, comparators=others):
                for op, one, other in zip(ops, [left, *others], others, strict=False):
                    yield from asked_of(op, one, other)


def asked_of(op: ast.cmpop, one: ast.expr, other: ast.expr) -> Iterator[ast.expr]:
    """The sentence in a comparison, if one is."""
    if isinstance(op, ast.In | ast.NotIn) and is_sentence(other):
        yield other
    elif isinstance(op, ast.In | ast.NotIn | ast.Eq | ast.NotEq):
        yield from (a for a, b in ((one, other), (other, one)) if is_sentence(a) and is_said(b))


def is_sentence(node: ast.expr) -> bool:
    """A field that holds one, an element of such a field, or the text of an error."""
    match node:
        case ast.Attribute(attr=name):
            return SENTENCES.fullmatch(name) is not None
        case ast.Subscript(value=value):
            return is_sentence(value)
        case ast.Call(func=ast.Name(id="str"), args=[ast.Name(id="error" | "why" | "problem")]):
            return True
        case ast.Call(func=ast.Attribute(value=value, attr="lower" | "casefold" | "strip")):
            return is_sentence(value)
    return False


def is_said(node: ast.expr) -> bool:
    """A literal text, other than '' for there being none, or several."""
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return any(map(is_said, node.elts))
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value != ""


def found() -> Iterator[tuple[str, int, str]]:
    """File, line, and the sentence."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(("sim/", EVIDENCE)):
            tree = ast.parse(path.read_text())
            yield from ((name, one.lineno, ast.unparse(one)) for one in looks(tree))


def test_no_code_looks_into_a_sentence() -> None:
    assert [one for one in found() if one[2] not in FOREIGN.get(one[0], ())] == []


def test_every_place_that_may_read_the_words_of_others_does() -> None:
    named = {(file, sentence) for file, sentences in FOREIGN.items() for sentence in sentences}
    assert named - {(file, sentence) for file, _, sentence in found()} == set()


def test_the_notes_of_a_manifest_are_read_where_it_is_defined() -> None:
    readers = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if re.search(r"\.extra(\[|\.get\()", path.read_text())
    }
    assert readers == {"archive/manifest.py"}


@pytest.mark.parametrize(
    "code",
    [
        "event.read_back.removeprefix('put back: ')",
        "summary.evidence[0].startswith('The queue')",
        "event.read_back == 'cancelled'",
        "'ctrl+r' in trouble.advice",
        "lost not in outcome.reason",
        "PATTERN.search(error.message)",
        "'full' in str(error)",
        "event.read_back in ('cancelled', 'done')",
        "'full' in error.message.lower()",
    ],
)
def test_a_look_into_a_sentence_is_noticed(code: str) -> None:
    assert len(list(looks(ast.parse(code)))) == 1


@pytest.mark.parametrize("code", ["error.message", "step.title != ''", "one in plan.steps"])
def test_what_asks_nothing_of_a_sentence_is_none_of_it(code: str) -> None:
    assert list(looks(ast.parse(code))) == []
