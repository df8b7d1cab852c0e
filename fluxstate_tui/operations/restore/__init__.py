"""From an archive to a MiniCluster whose every job is accounted for."""
