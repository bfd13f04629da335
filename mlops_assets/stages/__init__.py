"""What the stages of a forecast do, without Dagster's declarations: assets, automation and commands call them."""
