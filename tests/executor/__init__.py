"""`scoop_ft.Executor`, `Pool` and the adapters, with real processes."""
