"""Beyond one process: a table's items in shards, and the engines that work on them."""
