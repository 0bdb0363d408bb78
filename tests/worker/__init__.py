"""A worker's bookkeeping, without I/O."""
