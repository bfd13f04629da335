"""The public functions: what the command line answers and does, as Python objects.

A forecast is named (`"nyc_departures"`, one of those that the settings declare), or is the path of its YAML file, or
a spec that was loaded. Settings are those of the environment variables unless others are given. `docs/api.md` shows
them at work.
"""
