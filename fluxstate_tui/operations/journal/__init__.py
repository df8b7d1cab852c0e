"""What was meant, done and refused, on disk; and what an interrupted operation left."""
