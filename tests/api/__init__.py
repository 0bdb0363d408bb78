"""What a user may do with futures and constants, under a real run."""
