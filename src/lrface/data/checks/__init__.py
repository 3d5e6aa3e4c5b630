"""What is looked for in a source before a pack is made of it."""
