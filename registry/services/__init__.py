"""What may be done with a record, and its rules. Errors are raised here; layers above turn them into pages and JSON.

Rooms call down: entry | operations → review → follow_up → records; files, outcomes and jobs stand beside them.
"""
