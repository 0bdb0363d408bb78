"""The user's code as data: whose a module is, what it says, what a function means.

Looks at code objects, sources and paths; apart from `check`, which is a process of its own, nothing
here imports or runs anything of the user's.
"""
