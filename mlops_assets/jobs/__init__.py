"""Jobs of outside services: written down first, called once, looked at until they end."""
