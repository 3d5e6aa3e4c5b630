"""Verification, identification, fidelity, diversity, the statistics of a comparison."""
