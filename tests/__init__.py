"""The tests; `bench` measures.  Whole runs are started and killed with `scoop_chaos.runs`."""
