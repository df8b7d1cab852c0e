"""The folder of archives, wherever it can be reached."""
