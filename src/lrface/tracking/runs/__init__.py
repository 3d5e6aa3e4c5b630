"""Runs: logged to a spool, delivered to the store, continued after a fault."""
