"""Commands that take files in and give them out. May call imports and exports."""
