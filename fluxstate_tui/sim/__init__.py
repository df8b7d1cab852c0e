"""The simulated cluster: a Kubernetes API, the operator's behaviour, a Flux engine."""
