"""The pack: written, opened, split, copied, read in batches."""
