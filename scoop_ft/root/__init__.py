"""The root: the process that runs the user's script."""
