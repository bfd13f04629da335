"""The life of a model's versions: decisions, who is champion, claims of retrainings."""
