"""What a monitor compares with the source by which plan, how much of it is done, and what a visit found."""
