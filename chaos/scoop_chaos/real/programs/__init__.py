"""Scripts to torture: each prints one line, the same however it was run.

Their last argument is how long a task takes, which the answer does not depend on.
"""
