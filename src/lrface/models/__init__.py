"""EdgeFace, DSR, checkpoints, what is saved of them."""
