"""Flux's data, pure: job, jobspec, resources, ids, eventlog -> job."""
