"""The simulation's cameras as LeRobot's drivers see cameras. Imports LeRobot: import it late.

LeRobot finds the class by its name: the configuration's without "Config", in the module named after it.
"""

import threading
from dataclasses import dataclass, field

import cv2
import numpy as np
from lerobot.cameras import Camera, CameraConfig


@dataclass
class Pictures:
    """What the viewfinders share with whoever fills them.

    Attributes:
        newest: camera name -> newest JPEG.
        over: once set, the next look raises KeyboardInterrupt. LeRobot's host looks between two uses of its
            bus; an interrupt in the middle of one would leave the bus unusable for stopping the wheels.
    """

    newest: dict = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)


@CameraConfig.register_subclass('kiwi_sim')
@dataclass(kw_only=True)
class ViewfinderConfig(CameraConfig):
    """Configuration of a `Viewfinder`.

    Attributes:
        pictures: `Pictures`.
        name: camera name.
    """

    pictures: Pictures
    name: str


class Viewfinder(Camera):
    """A LeRobot camera that shows the newest picture somebody else received.

    Args:
        config: `ViewfinderConfig`.
    """

    def __init__(self, config):
        super().__init__(config)
        self._pictures, self._name = config.pictures, config.name

    @property
    def is_connected(self):
        """True once there is a picture."""
        return self._name in self._pictures.newest

    @staticmethod
    def find_cameras():
        """None can be discovered."""
        return []

    def connect(self, warmup=True):
        """Nothing to do: whoever fills the pictures is there before."""

    def read(self):
        """The newest picture, uint8 (height, width, 3) RGB."""
        if self._pictures.over.is_set():
            raise KeyboardInterrupt
        pixels = cv2.imdecode(np.frombuffer(self._pictures.newest[self._name], np.uint8), cv2.IMREAD_COLOR)
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)

    def async_read(self, timeout_ms=200):
        """As `read`."""
        return self.read()

    def read_latest(self, max_age_ms=500):
        """As `read`, whatever its age: a picture that stands still is for the policy to notice."""
        return self.read()

    def disconnect(self):
        """Nothing to do."""
