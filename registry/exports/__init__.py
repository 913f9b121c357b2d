"""The registry's CSV files, streamed by PostgreSQL in constant memory."""
