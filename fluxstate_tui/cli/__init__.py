"""The command line: the dashboard and its headless twins."""
