"""What a journal holds, shown to people: recorded calls and results, and where two differ.

Only reads.  The bytes are loaded in a process of its own (`ask`, `values`), for that runs user
code.
"""
