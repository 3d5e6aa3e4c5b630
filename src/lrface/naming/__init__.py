"""Naming: what a face is called, at which threshold, and how sure that is."""
