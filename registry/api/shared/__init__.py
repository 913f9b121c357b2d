"""What every resource of the API uses: fields from declarations, lists, errors, versions, repeats. Calls no room."""
