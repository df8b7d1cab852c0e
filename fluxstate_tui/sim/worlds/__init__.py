"""Named worlds: what a simulated cluster holds when it starts."""
