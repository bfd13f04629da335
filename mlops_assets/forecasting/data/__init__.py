"""What comes from a source: the contract of its rows, the grid of its timestamps."""
