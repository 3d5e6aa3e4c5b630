"""Who is enrolled, who is searched for, how faces become small, and the arms that see them."""
