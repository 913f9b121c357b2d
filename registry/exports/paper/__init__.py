"""Paper: blank forms to be filled in by hand and casebooks of what is stored, as PDF. Called by pages alone."""
