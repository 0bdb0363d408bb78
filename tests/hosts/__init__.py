"""Workers on other machines, through a real ssh server."""
