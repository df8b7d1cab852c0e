"""One operation on all marked MiniClusters: the plan, the progress, and each outcome."""
