"""From a live queue to a verified archive in the catalogue."""
