"""A living MiniCluster moves: a save, a restore and a delete in the order that is safe."""
