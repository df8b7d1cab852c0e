"""The inside of a simulated container."""
