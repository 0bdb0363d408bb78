"""The harnesses of chaos: that they run, that they see what is broken, and what they have found."""
