"""The loop of every training: steps, epochs, the best state, resume."""
