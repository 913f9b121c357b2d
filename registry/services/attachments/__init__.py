"""Files attached to a patient or a form: which are taken, how they are kept, who has them. May call records."""
