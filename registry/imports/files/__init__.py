"""Somebody's files read: encodings, workbooks, columns matched with the registry's, uploads. Calls no other room."""
