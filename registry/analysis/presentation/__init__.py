"""Results for people: tables as a journal prints them, numbers, words. Calls disclosure and below."""
