"""Recordings in rosbag2's format: MCAP files of serialized messages, and metadata.yaml. Knows no rclpy and no torch."""
