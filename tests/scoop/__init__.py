"""Scripts made for SCOOP, and its command line."""
