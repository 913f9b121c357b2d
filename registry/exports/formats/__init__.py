"""One module for each kind of file. Each writes one dataset, or all of them, and says how many rows it wrote."""
