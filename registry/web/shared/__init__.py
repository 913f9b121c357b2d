"""What every room of pages uses: finding records, wording, questions of a form, gates, tags. Calls no other room."""
