"""How a face becomes small, and how large a face really is."""
