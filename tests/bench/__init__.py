"""Benchmarks: ``python -m tests.bench`` runs `programs` side by side and prints a table."""
