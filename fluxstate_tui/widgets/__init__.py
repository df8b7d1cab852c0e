"""The parts of screens: grid, tables, lines, panels, themes."""
