"""Excel workbooks read: in a process of their own, cell by cell, with the kind that each cell was."""
