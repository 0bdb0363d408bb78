"""The kill matrix: one death at a time, the same for scoop-ft and for what people use instead.

`systems` says how each is started, `family` which processes are its own, `ledger` what was really
executed, `case` runs one system through one death, `judge` names what came of it, `table` shows
all of them side by side.  Nothing here knows how any of the systems works inside.
"""
