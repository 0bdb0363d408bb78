"""Whole runs whose processes are killed, stopped and resumed, with real signals."""
