"""Versions and aliases: registered, found, checked, promoted."""
