"""The loss terms, each with its paper and equation, and their weighted sum."""
