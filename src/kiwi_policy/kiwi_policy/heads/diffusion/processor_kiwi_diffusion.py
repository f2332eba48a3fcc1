"""Pre- and post-processors of the head: LeRobot's own, statistics floored."""

from lerobot.processor import make_default_pre_post_processors

from ..normalise import floored_stats


def make_kiwi_diffusion_pre_post_processors(config, dataset_stats=None):
    """Rename, batch, device, normalise; unnormalise, to the CPU."""
    return make_default_pre_post_processors(config, floored_stats(config, dataset_stats))
