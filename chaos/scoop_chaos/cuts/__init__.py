"""Power cuts and failing disks under the real journal of a real run.

`record` runs ``scoop-ft run`` with the shim (`preload`, ``shim.c``) in its broker: each write and
sync of the journal's file goes into a log, in one order with what the broker said and heard
(`log`, `speech`).  `history` makes of it what was committed when, and `promises` what the broker
had promised by when.  `disk` rebuilds what a disk may hold after a power cut, `check` opens that as
a broker would and compares, and `campaign` does so thousands of times.  `errors` lets writes and
syncs fail in real runs; `loop` shuts a real ext4 down under one.

The promises are taken from the sockets: the frames that left the broker's process.  It is what
peers rely on, whatever the broker believes; nothing in the product is wrapped or replaced, so an
acknowledgement sent too early, by whichever line of code, is found.  Marking the return of
``Journal.commit`` instead would test LMDB and not the promise made of it.
"""
