"""The page to try a pair: one picture in; the small face, what is made of it, and who it is taken for."""
