"""Commands of the demonstration: its patients, people and summary. May call everything."""
