"""Screens about a whole archive: nodes over time, what a restore would do, what differs."""
