"""Real runs under real faults: signals, cut networks, full disks, memory limits; then the answer.

`command` is what people type.  `campaign` plays one `trial` after the other until the time is
over: a program runs, `strikes` break what `plan` has drawn from the seed, `account` says of each
task that ran twice why it may, `recovery` measures, `report` shows.  `stage` finds out what this
machine can do; `janitor` removes what a run needed, also when the harness itself is killed.
Nothing here decides anything for scoop-ft: it sees a run as its user does, and its journal.
"""
