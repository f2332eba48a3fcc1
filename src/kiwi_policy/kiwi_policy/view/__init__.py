"""The live view: what the nodes say, as a Rerun recording. Needs rerun-sdk; knows no ROS."""
