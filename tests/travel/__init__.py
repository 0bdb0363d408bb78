"""Tests of the user's code in the journal and on other machines."""
