"""What a project of one's own begins with: its files, and a table of made-up sales to try things on."""
