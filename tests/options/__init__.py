"""Tests of the options of calls."""
