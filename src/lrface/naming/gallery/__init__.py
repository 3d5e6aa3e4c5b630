"""Who is enrolled, and where that is kept."""
