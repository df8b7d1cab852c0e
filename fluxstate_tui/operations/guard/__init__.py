"""Keeping a watched MiniCluster safe by itself: fresh checkpoints, and a save every so often."""
