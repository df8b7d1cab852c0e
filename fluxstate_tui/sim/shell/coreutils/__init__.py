"""The usual programs of a container, on its own files and its own clock."""
