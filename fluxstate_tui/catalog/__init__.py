"""The folder of archives: manifests, transfer, retention, local copies, wherever they are."""
