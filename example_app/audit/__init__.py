"""Who did what: in a database of its own, when AUDIT_URL is set."""
