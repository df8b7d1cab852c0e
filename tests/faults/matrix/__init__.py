"""Every operation x every fault x every point: `python -m tests.faults`."""
