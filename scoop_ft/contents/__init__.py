"""What a journal holds, for people: list its tasks, show one, take the results out.

Nothing of the run need be running, and a run that is goes on undisturbed.  Reads only; values are
loaded in a process of its own, never here.
"""
