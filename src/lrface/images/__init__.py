"""Ranges and colour, resampling, alignment, degradation, procedural faces."""
