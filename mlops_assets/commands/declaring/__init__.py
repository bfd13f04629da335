"""What is declared, and where: list, init, new."""
