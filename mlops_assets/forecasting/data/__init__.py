"""What comes in: texts to values, the contract of the rows, the grid of the timestamps."""
