"""Stand-ins for packages that programs in a simulated container import; nothing here does."""
