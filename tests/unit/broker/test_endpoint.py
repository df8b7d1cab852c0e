"""Which container runs the lead broker, and how its flux is called."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from fluxstate_tui.broker.locate import Endpoint, NoLead, find_endpoint
from fluxstate_tui.minicluster.minicluster import ClusterRef, MiniCluster


def minicluster(version: str = "v1alpha2", **spec: Any) -> MiniCluster:
    ref = ClusterRef("flux-operator", "flux-sample", "mc-uid")
    return MiniCluster(
        ref=ref,
        api_version=f"flux-framework.org/{version}",
        resource_version="1",
        size=2,
        max_size=None,
        min_size=None,
        interactive=True,
        archive_path="/state/archive.tar.gz",
        created=0.0,
        deleting_since=None,
        raw={"spec": spec},
    )


def pod(name: str, index: int = 0, job: str = "job-uid", **more: Any) -> dict[str, Any]:
    containers = more.pop("containers", None) or [
        {"name": "flux-sample", "command": ["/bin/bash", f"/flux_operator/wait-{index}.sh"]}
    ]
    running = more.pop("running", True)
    state = {"running": {}} if running else {"waiting": {"reason": "PodInitializing"}}
    metadata = {
        "name": name,
        "uid": f"uid-{name}",
        "annotations": {"batch.kubernetes.io/job-completion-index": str(index)},
        "ownerReferences": [{"kind": "Job", "name": "flux-sample", "uid": job}],
        "creationTimestamp": "2026-11-21T20:00:00Z",
        **more,
    }
    statuses = [{"name": container["name"], "state": state} for container in containers]
    return {
        "metadata": metadata,
        "spec": {"containers": containers},
        "status": {"containerStatuses": statuses},
    }


def test_the_lead_is_index_0_of_the_right_job_never_a_name() -> None:
    pods = [
        pod("flux-sample-0-other", job="another-job"),
        pod("flux-sample-1-abc", 1),
        pod("flux-sample-0-abc"),
    ]
    assert find_endpoint(minicluster(), pods, "job-uid").pod == "flux-sample-0-abc"


def test_a_replaced_lead_is_the_one_that_is_not_being_deleted() -> None:
    pods = [
        pod("old", deletionTimestamp="2026-11-21T21:00:00Z"),
        pod("older"),
        pod("new", creationTimestamp="2026-11-21T21:00:01Z"),
    ]
    assert find_endpoint(minicluster(), pods, "job-uid").pod == "new"


def test_the_container_is_the_one_that_waits_for_flux() -> None:
    containers = [{"name": "sidecar", "command": ["sleep"]}]
    containers += [{"name": "app", "command": ["/bin/bash", "/flux_operator/wait-0.sh"]}]
    found = find_endpoint(minicluster(), [pod("p", containers=containers)], "job-uid")
    assert found.container == "app"


@pytest.mark.parametrize(
    ("pods", "words"),
    [
        ([], "does not exist yet"),
        ([pod("p", 1)], "does not exist yet"),
        ([pod("p", deletionTimestamp="now")], "is being deleted"),
        ([pod("p", running=False)], "does not run"),
    ],
)
def test_without_a_running_lead_it_says_why(pods: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(NoLead, match=words):
        find_endpoint(minicluster(), pods, "job-uid")


def test_the_mount_path_and_the_user_come_from_the_spec() -> None:
    flux = {"container": {"mountPath": "/opt/view"}}
    assert find_endpoint(minicluster(flux=flux), [pod("p")], "job-uid").place == "/opt/view"
    assert find_endpoint(minicluster(), [pod("p")], "job-uid").place == "/mnt/flux"
    old = find_endpoint(minicluster("v1alpha1"), [pod("p")], "job-uid")
    assert (old.flavour, old.place) == ("v1alpha1", "flux")
    as_root = [{"commands": {"runFluxAsRoot": True}}]
    root = find_endpoint(minicluster("v1alpha1", containers=as_root), [pod("p")], "job-uid")
    assert root.place == "root"


def _run(endpoint: Endpoint, tools: Path, *args: str) -> str:
    argv = endpoint.flux_argv(args)
    environment = {"PATH": f"{tools}:/usr/bin:/bin"}
    return subprocess.run(argv, env=environment, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    folder = tmp_path / "tools"
    folder.mkdir()
    for name, text in {
        "flux": 'echo "$FLUX_URI $FLUX_F58_FORCE_ASCII"; printf "%s\\n" "$@"',
        "sudo": 'echo sudo "$1" "$2"; shift 2; while [ "$1" != flux ]; do shift; done; "$@"',
    }.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return folder


def test_the_socket_comes_from_flux_view(tools: Path, tmp_path: Path) -> None:
    view = "export fluxsocket=local:///there/flux/local\n"
    (tmp_path / "flux-view.sh").write_text(view)
    endpoint = Endpoint("ns", "p", "u", "c", "v1alpha2", str(tmp_path))
    assert _run(endpoint, tools, "jobs").split() == ["local:///there/flux/local", "1", "jobs"]


def test_without_flux_view_the_socket_is_where_the_operator_puts_it(
    tools: Path, tmp_path: Path
) -> None:
    endpoint = Endpoint("ns", "p", "u", "c", "v1alpha2", str(tmp_path))
    assert _run(endpoint, tools).split()[0] == f"local://{tmp_path}/config/run/flux/local"
    (tmp_path / "view/run/flux").mkdir(parents=True)
    (tmp_path / "view/run/flux/local").touch()
    assert _run(endpoint, tools).split()[0] == f"local://{tmp_path}/view/run/flux/local"


def test_v1alpha1_goes_through_sudo_and_as_root_does_not(tools: Path) -> None:
    endpoint = Endpoint("ns", "p", "u", "c", "v1alpha1", "flux")
    assert _run(endpoint, tools, "jobs").splitlines()[0] == "sudo -u flux"
    as_root = Endpoint("ns", "p", "u", "c", "v1alpha1", "root")
    assert _run(as_root, tools, "jobs").splitlines() == ["local:///run/flux/local 1", "jobs"]


def test_hostile_arguments_stay_arguments(tools: Path, tmp_path: Path) -> None:
    words = ["$(touch pwned)", "a b", "'\"`;", "-x", "[/foo]", ""]
    endpoint = Endpoint("ns", "p", "u", "c", "v1alpha2", str(tmp_path))
    assert _run(endpoint, tools, *words).splitlines()[1:] == words
