"""One operator at a time."""
