"""The checkpoint doctor: strange files of weights, read without running anything in them."""
