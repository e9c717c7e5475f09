"""A teacher's answers about photographs, written into shards."""
