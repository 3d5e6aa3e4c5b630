"""From the words of a command line to a typed, frozen config."""
