"""How one talks to Flux in a pod: the remote program, its protocol, commands, files."""
