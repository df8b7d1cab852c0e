"""What one sees without a cluster: a simulated one to watch, and the tutorial played on it."""
