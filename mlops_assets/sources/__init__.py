"""Where the rows come from: files, object storage, databases, HTTP."""
