"""A year of a forecast in one process: a made-up world, the real stages on a clock of its own, and an auditor."""
