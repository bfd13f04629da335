"""What would have been: policies over the past, a whole year. Nothing of a forecast is changed."""
