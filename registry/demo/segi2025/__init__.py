"""The registry of Segi et al. 2025: synthetic patients with the margins that it printed, and its tables beside ours."""
