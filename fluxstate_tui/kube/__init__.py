"""The async Kubernetes client layer: session, list+watch, exec, access review, typed errors."""
