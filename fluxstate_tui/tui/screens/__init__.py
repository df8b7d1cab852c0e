"""The screens, a folder for each place."""
