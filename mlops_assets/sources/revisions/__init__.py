"""Files that git or DVC keeps: read at a revision, known by the ids that it gives their content."""
