"""What is wrong with a MiniCluster, why, and what to do: rules over one frozen picture."""
