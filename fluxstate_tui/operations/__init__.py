"""What changes a cluster: a pure plan, and a runner that reads every step back."""
