"""Figures of an evaluation, each with its interval."""
