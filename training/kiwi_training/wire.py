"""What the way from camera to policy does to pictures: they lose detail in JPEG, and they age."""

from collections import deque

from kiwi_policy.nodes.images import decode_rgb, encode_rgb

PICTURES = 'observation.images.'


def through_jpeg(observation):
    """The observation with its pictures, uint8 (height, width, 3) RGB, encoded and decoded as by the nodes."""
    return {key: decode_rgb(encode_rgb(value)) if key.startswith(PICTURES) else value
            for key, value in observation.items()}


class PictureDelay:
    """Puts the pictures of some ticks ago beside the present state; the first ones until they are that old.

    Call it with every observation of an episode.

    Args:
        ticks: age of the pictures, >= 0.
    """

    def __init__(self, ticks):
        self._pictures = deque(maxlen=ticks + 1)

    def __call__(self, observation):
        self._pictures.append({key: value for key, value in observation.items() if key.startswith(PICTURES)})
        return {**observation, **self._pictures[0]}
