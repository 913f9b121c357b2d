"""Work of the platform: exports, imports, recurring tasks and how far they have seen."""
