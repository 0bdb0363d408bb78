"""Random numbers: which ones who gets, and that nobody else draws from the global generators."""
