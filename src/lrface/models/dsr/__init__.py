"""DSR: the network and its model folder."""
