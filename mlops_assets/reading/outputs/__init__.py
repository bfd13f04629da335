"""What is read, made for people and for other tools: an item's outlook, a picture, files."""
