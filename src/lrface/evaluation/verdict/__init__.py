"""What figures mean: differences, gates, whether a pair goes to production; checked by simulation."""
