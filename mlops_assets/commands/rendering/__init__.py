"""What the commands find, as tables and lines for a terminal; a module for each kind of result."""
