"""What starts, watches, restarts and shows the processes of a run; no user code runs here."""
