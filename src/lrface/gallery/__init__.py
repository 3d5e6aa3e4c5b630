"""The gallery: who can be named, as one template per person and the recogniser that made them."""
