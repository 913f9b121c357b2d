"""The REST API `/api/v1/`: turns requests into calls of the services, and what they refuse into problem documents."""
