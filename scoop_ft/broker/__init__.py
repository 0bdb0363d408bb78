"""The broker: what it has recorded (`book`), who is connected (`peers`), what it decides (`core`).

Only `server` and `__main__` touch sockets, clocks and disks.
"""
