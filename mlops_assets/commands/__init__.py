"""The command line: click and what it prints, a file for each family of commands."""
