"""An archive opened: its jobs, chart, comparison, preview."""
