"""What every operation is given: the cluster, the time, the disk, and who is acting."""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from fluxstate_tui.config import ROOM_FOR_COPIES, SIGNING_SECRET

if TYPE_CHECKING:
    from fluxstate_tui.broker.pool import BrokerPool
    from fluxstate_tui.broker.signing_keys import SigningKeys
    from fluxstate_tui.clock import Clock
    from fluxstate_tui.kube.client import Cluster


@dataclass(frozen=True)
class OperationContext:
    """`state_dir` holds the journal and the last seen objects; `who` is written into both.

    `room_for_copies` is in bytes; 0: no archive is copied to this computer by a delete.
    `helper_image` is that of helper pods, '' for the one of the MiniCluster's own container.
    `signing_secret` is the Secret with the keys of manifests, '' for no signatures.
    """

    cluster: Cluster
    clock: Clock
    state_dir: Path
    who: str
    room_for_copies: int = ROOM_FOR_COPIES
    helper_image: str = ""
    signing_secret: str = SIGNING_SECRET

    @cached_property
    def brokers(self) -> BrokerPool:
        """The conversations with brokers, shared by all who have this context."""
        from fluxstate_tui.broker.pool import BrokerPool

        return BrokerPool(self.cluster)

    @cached_property
    def signing_keys(self) -> SigningKeys:
        """Those that manifests are signed with, read once for each namespace."""
        from fluxstate_tui.broker.signing_keys import SigningKeys

        return SigningKeys(self.cluster, self.clock, self.signing_secret)

    @property
    def server_now(self) -> float:
        """The API server's time, seconds since the epoch: archives of several operators are dated
        and aged by that, for their computers' clocks differ."""
        return self.clock.now() + self.cluster.clock_offset


def default_state_dir() -> Path:
    """`$FLUXSTATE_STATE_DIR`, else the user's state directory of this platform."""
    override = os.environ.get("FLUXSTATE_STATE_DIR")
    return Path(override) if override else Path(platformdirs.user_state_dir("fluxstate"))


def default_who() -> str:
    """The user and the host, as they are shown to a second operator."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # an uid without a name, as in many containers
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
