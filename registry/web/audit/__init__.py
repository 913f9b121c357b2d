"""The audit trail as pages and as a file, and the history of one patient's records. Calls shared."""
