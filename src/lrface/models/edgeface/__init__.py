"""EdgeFace: the network, what of it trains, its model folder."""
