"""Measurements of the real processes: what loads the machine, what it allows, and the report. Knows no ROS."""
