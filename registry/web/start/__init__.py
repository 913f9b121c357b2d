"""The first page, the grid of patients and forms, and the frame around every page. May call every room."""
