"""What has changed: drift of the data, change of the forecast."""
