"""One MiniCluster: its queue, pods, nodes, archives and events, as tabs."""
