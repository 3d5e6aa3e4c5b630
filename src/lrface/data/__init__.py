"""Sources, manifest, splits, the pack."""
