"""The process of a command: what it needs, how it waits, how several of it work together, how it ends."""
