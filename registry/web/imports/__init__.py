"""Files brought in: upload, matching of columns, dry run, storing, undo. Calls shared."""
