"""Training of a face super-resolver and a compact face recogniser on each other's output."""

__version__ = "0.1.0"
