"""What a journal holds, for people: tasks, their values, what happened to them, what differs.

Nothing of the run need be running, and a run that is goes on undisturbed.  Reads only.  Recorded
bytes are loaded in a process of its own (`ask`, `values`), never here, for that runs user code.
"""
