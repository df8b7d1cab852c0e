"""What may be deleted, what would be lost, and deleting it."""
