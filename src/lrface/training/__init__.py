"""The two training modules and their callbacks."""
