"""Questions to what is stored of a forecast, for those who only read: forecasts, observations, items, accuracy."""
