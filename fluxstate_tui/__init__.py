"""The terminal dashboard for the state of Flux MiniClusters on Kubernetes."""

__version__ = "0.1.0"
