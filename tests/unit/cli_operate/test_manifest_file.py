"""`restore --file`: the manifest has its own name and namespace, as for kubectl."""

from __future__ import annotations

from pathlib import Path

import yaml

from fluxstate_tui.errors import ExitCode
from tests.unit.cli_operate.conftest import Program

BASE = """\
apiVersion: flux-framework.org/v1alpha2
kind: MiniCluster
metadata:
  name: mf-base
  labels: {release: 2024-01-15}
spec:
  size: 2
  interactive: true
  archive: {path: /state/archive.tar.gz}
  containers:
    - image: rockylinux:9
      volumes:
        data: {claimName: data, path: /state}
"""
ARCHIVE = Path(__file__).parents[2] / "data" / "archives"


def archive() -> str:
    return str(min(ARCHIVE.rglob("*.tar.gz")))


async def dry(program: Program, folder: Path, text: str, *words: str) -> tuple[int, str, str]:
    path = folder / "base.yaml"
    path.write_text(text)
    given = ("restore", *words, "-f", str(path), "--from", archive(), "--dry-run", "--json")
    done = await program(*given)
    target = ""
    if done.code == ExitCode.OK:
        plan = done.json["plan"]
        target = f"{plan['namespace']}/{plan['name']}"
    return done.code, target, done.err


async def test_a_manifest_names_what_is_created_and_where(program: Program, tmp_path: Path) -> None:
    here = program.stage.context.cluster.namespace
    assert (await dry(program, tmp_path, BASE))[:2] == (0, f"{here}/mf-base")
    elsewhere = BASE.replace("name: mf-base", "name: mf-base\n  namespace: elsewhere")
    assert (await dry(program, tmp_path, elsewhere))[:2] == (0, "elsewhere/mf-base")
    assert (await dry(program, tmp_path, elsewhere, "mf-base"))[1] == "elsewhere/mf-base"
    assert (await dry(program, tmp_path, elsewhere, "-n", "elsewhere"))[1] == "elsewhere/mf-base"
    code, _, said = await dry(program, tmp_path, elsewhere, "-n", "default")
    assert code == ExitCode.REFUSED
    assert "is of namespace 'elsewhere', which is not 'default' of -n" in said
    code, target, said = await dry(program, tmp_path, BASE, "other")
    assert target == f"{here}/other"
    assert "is of mf-base; other is created" in said
    code, _, said = await dry(program, tmp_path, BASE.replace("  name: mf-base\n", ""))
    assert code == ExitCode.REFUSED
    assert "has no name" in said


async def test_a_file_with_several_documents_is_taken_apart(
    program: Program, tmp_path: Path
) -> None:
    two = f"{BASE}---\n{BASE.replace('mf-base', 'mf-two')}---\nkind: ConfigMap\n"
    code, _, said = await dry(program, tmp_path, two)
    assert code == ExitCode.REFUSED
    assert "has 2 MiniClusters (mf-base, mf-two)" in said
    assert (await dry(program, tmp_path, two, "mf-two"))[1].endswith("/mf-two")
    items = [yaml.safe_load(BASE.replace("2024-01-15", "'2024-01-15'"))]
    whole = yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": items})
    assert (await dry(program, tmp_path, whole))[1].endswith("/mf-base")


async def test_what_is_not_known_is_said_with_its_namespace(program: Program) -> None:
    done = await program("archives", "list", "nosuch", "-n", "far-away")
    assert done.code == ExitCode.NOT_FOUND
    assert "'nosuch' in namespace 'far-away'" in done.err
    done = await program("get", "archives", "nosuch", "-n", "far-away")
    assert "'nosuch' in namespace 'far-away'" in done.err
