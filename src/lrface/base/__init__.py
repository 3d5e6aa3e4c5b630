"""What every room stands on: settings, locks, spelling, where the project is."""
