"""Fault injection for scoop-ft: drives the two other packages, is imported by neither."""
