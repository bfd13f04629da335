"""What all rooms above stand on: clock, databases, secrets, the Dagster instance; and what may be asked of a store."""
