"""What an administrator sets up for the study: the extra instruments. Calls shared."""
