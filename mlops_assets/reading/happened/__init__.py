"""What has happened to a forecast: changes, decisions, versions, jobs, and all of it on one axis of time."""
