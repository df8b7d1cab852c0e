"""The `flux` command inside a simulated container: outputs, errors and exit codes as recorded."""
