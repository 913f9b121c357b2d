"""What sections come to, for people: tables, methods in words, and figures. From results alone."""
