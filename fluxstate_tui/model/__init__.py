"""Frozen dataclasses and pure rules: what Flux and Kubernetes objects are, without any client."""
