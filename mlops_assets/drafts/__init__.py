"""A spec drafted from a table: what its columns, its times and its numbers look like."""
