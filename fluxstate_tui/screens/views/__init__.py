"""The tabs of one MiniCluster."""
