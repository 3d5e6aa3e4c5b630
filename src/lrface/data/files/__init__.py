"""Files and folders as people have them: listed, read, hashed, in order and in parallel."""
