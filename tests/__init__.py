"""The tests; `harness` starts and kills whole runs, `bench` measures."""
