"""The kill matrix: one death at a time, the same for scoop-ft and for what people use instead.

`systems` says how each is started, `stage` starts it, `family` knows which processes are its own,
`ledger` what was really executed.  `case` brings one system through one death, `judge` names what
came of it, `measure` does so for all, `table` shows them side by side.  Nothing here knows how any
of the systems works inside.
"""
