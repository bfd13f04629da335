"""What runs as separate processes, as it does where the project is deployed."""
