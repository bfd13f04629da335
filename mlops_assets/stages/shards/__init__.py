"""What stages do to the items of one shard, and how what comes of all shards is put together."""
