"""The study: its protocol, schedule and wording, who was looked at for it and on what terms they take part."""
