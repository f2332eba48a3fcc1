"""HTML pages of recorded rollouts."""
