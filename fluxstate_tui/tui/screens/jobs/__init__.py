"""Jobs, live or archived: columns, one job, what can be done to them."""
