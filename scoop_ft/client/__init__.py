"""What root and workers have in common: parents, their children's results, the broker's session.

`session`, `scopes` and `groups` are bookkeeping without I/O; `link` and `connection` move bytes.
"""
