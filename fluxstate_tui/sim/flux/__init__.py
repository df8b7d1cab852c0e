"""A Flux instance that behaves like flux-core 0.88 with sched-simple."""
