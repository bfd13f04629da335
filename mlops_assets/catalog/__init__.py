"""What a forecast stores: names, columns, partitions."""
