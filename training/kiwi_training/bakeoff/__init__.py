"""The bake-off: train heads on one dataset, roll them out on the same seeds, tabulate, decide which to ship."""
