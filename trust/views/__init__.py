"""Pages of logging in, of one's own account and of the audit trail. Thin, as elsewhere."""
