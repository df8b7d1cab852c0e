"""The MiniCluster as data, pure: API versions, spec checks, phase."""
