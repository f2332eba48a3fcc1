"""Training for kiwi: demonstrations, datasets, policies, comparisons."""
