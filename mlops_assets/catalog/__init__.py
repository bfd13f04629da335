"""What a forecast stores, each thing written down once: assets, columns, logs, partitions, run tags."""
