"""Feeds turn what the clients see into events of the store."""
