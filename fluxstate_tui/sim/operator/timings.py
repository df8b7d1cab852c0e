"""How long things take, in seconds of the cluster's clock (measured: a 1.33 cluster, one node)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timings:
    """Defaults bring a 2-node MiniCluster up 7.5 to 15 s after apply."""

    reconcile: float = 0.08
    label_pods: float = 0.4
    schedule: float = 0.05
    sandbox: float = 0.1
    init_started: float = 1.2
    init_runs: float = 1.1
    # A view built with spack is gigabytes, which `cp -R` copies for every pod.
    init_runs_spack: float = 120.0
    main_started: float = 1.0
    entrypoint: float = 1.5
    worker_connects: float = 1.0
    worker_retry: float = 15.0
    pull_backoff: float = 10.0
    pull_backoff_limit: float = 300.0
    restart_backoff: float = 1.0
    # From SIGKILL to `Failed`, and from there to DELETED.
    after_kill: float = 0.4
    until_gone: float = 1.0
    bind_volume: float = 0.2
