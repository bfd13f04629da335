"""How a forecast is: its state, and the page that shows it."""
