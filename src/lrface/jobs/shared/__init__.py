"""What several jobs do alike."""
