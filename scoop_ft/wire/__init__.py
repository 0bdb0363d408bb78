"""What crosses the network: the messages (``messages``) and their frames (``codec``)."""
