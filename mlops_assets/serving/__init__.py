"""The serving layer: what is stored of forecasts over HTTP, for those who only read, and the explorer's page."""
