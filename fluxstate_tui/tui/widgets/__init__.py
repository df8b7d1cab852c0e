"""The parts of screens: grid, tables, lines, charts, inputs."""
