"""The registry's file formats, snapshots, and whose data may be used. Calls no other room."""
