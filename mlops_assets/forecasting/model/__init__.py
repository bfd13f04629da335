"""The model: everything that travels inside a logged model, and nothing else. Imports nothing outside this folder."""
