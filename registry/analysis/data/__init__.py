"""The data of an analysis as compact integer columns, from the registry or a snapshot. Calls no other room."""
