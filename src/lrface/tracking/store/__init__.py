"""The tracking store: which one it is, where it lies, how it fails."""
