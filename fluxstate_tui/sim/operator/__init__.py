"""What makes the simulated cluster behave: the Flux Operator, and the controllers it relies on.

The Flux Operator (2026-06 unless another flavour is asked for), the Job controller, the scheduler,
the kubelet, the volume binder and the garbage collector. They talk to each other through the
object store only, as the real ones do through the API server.
"""
