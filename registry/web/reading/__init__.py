"""A patient's values to be read at once: the course from visit to visit, and each form by instrument. Calls shared."""
