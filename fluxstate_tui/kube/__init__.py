"""How one talks to Kubernetes: client, auth, watch, exec, logs, objects, errors."""
