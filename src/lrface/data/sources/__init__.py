"""The kinds of source, each with its reader."""
