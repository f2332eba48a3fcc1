"""Rollouts on record: rosbag2 bags read, shown, turned into datasets and made from them. Needs no ROS."""
