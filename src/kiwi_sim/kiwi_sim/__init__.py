"""A simulated LeKiwi: MuJoCo world, gymnasium environment and emulated servo bus."""
