"""What root and workers have in common, without I/O."""
