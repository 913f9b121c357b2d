"""Quality of life over time: QALYs, responders, transitions of a grade, and the dead as the worst outcome."""
