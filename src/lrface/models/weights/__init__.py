"""Weights that are known by name: released, shipped, of perceptual networks."""
