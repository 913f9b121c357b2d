"""Commands of `manage.py`, by subject. Each room is an application without tables: Django looks nowhere else."""
