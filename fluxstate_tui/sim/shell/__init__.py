"""What runs inside a simulated container: a small POSIX shell and the usual programs."""
