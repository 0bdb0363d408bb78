"""Workers on other machines, started by the launcher: one agent on each, through ssh.

``names`` reads which machines, ``shares`` how many workers on each; ``fleet`` keeps their agents
alive (``keeper`` decides when, ``line`` how ssh is called, ``telling`` what is said of a failure);
``agent`` is what runs there, told by ``orders`` what to do.
"""
