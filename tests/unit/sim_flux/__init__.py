"""The simulated Flux instance behaves like the recorded real one."""
