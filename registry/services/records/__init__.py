"""What every record has in common: cleaning of answers, storing, identifiers, drafts, changes. Calls no other room."""
