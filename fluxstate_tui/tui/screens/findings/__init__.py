"""All that is wrong, across MiniClusters."""
