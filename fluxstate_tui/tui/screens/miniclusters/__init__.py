"""Home: every MiniCluster in one row."""
