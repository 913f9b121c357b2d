"""Who was looked at for the study: the screening log, and the numbers it gives to flows. May call protocol and what
stands below."""
