"""How much a run may hold: many tasks, large ones."""
