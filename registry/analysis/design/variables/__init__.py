"""Variables of a plan: what was collected, what a plan makes of it, when it counts, and its columns over a frame."""
