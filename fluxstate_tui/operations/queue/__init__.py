"""Pause and resume, and waiting until nothing runs."""
