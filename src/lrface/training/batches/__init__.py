"""What a batch is made of, and made ready on the way."""
