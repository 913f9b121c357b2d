"""Who was looked at for the study and on what terms they take part: screening log, consents, attached files."""
