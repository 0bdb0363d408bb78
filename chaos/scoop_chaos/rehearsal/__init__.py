"""``scoop-ft chaos``: a user's own script, run undisturbed and with kills, and compared.

`rounds` runs and kills, drawn by `plan`; `follow` reads along in the journal; `table` and `compare`
set two rounds side by side; `values` shows what differed, in a process of its own, since that runs
user code; `findings` decides, `report` words it.  Nothing here changes what a run does.
"""
