"""Who may do what where (`access`), and the scope that row-level security reads (`scope`). Calls no other room."""
