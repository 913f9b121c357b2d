"""A result as files: JSON, CSV, HTML, Word, Excel, and the bundle that R recomputes. May call every room."""
