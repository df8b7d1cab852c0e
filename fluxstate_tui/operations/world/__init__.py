"""What operations see and ask of a MiniCluster: objects, broker, files."""
