"""A migration on the screen: the form, both sides while it runs, and how it is stopped."""
