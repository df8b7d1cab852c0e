"""The live picture: events, the store, feeds, the guard, and the session that screens ask."""
