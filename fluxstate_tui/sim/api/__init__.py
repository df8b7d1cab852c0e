"""A Kubernetes API server in one process: what `kubectl` and our client talk to in the simulation.

Shapes, texts and codes are those of a recorded API server 1.33 (tests/data/kubernetes).
"""
