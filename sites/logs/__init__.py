"""What the logs say: lines as JSON, the id of a request; secrets and data are taken out. Calls no other room."""
