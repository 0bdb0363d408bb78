"""The examples of the documentation, run as a user would run them, and killed."""
