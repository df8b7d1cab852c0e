"""`flux dump` files without Flux, pure: read, verify, compare, preview."""
