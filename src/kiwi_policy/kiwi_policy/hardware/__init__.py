"""Robots behind one small Protocol: LeRobot's drivers, made safe for a control loop. No ROS."""
