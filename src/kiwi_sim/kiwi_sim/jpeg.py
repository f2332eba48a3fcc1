"""JPEG pictures as ROS carries them."""

import warnings

import cv2

CV_BRIDGE_QUALITY = 95
"""What cv_bridge, like OpenCV by default, encodes with."""


class JpegEncoder:
    """Encodes RGB pictures, through cv_bridge where that can.

    cv_bridge has no choice of quality, and the one from apt does not load beside NumPy 2; in both
    cases OpenCV, which cv_bridge calls, is called directly and gives the same bytes.

    Args:
        quality: 1..100.
    """

    def __init__(self, quality=CV_BRIDGE_QUALITY):
        if not 1 <= quality <= 100:
            raise ValueError(f'JPEG quality must lie in 1..100, got {quality}')
        self._options = [cv2.IMWRITE_JPEG_QUALITY, quality]
        self._bridge = _bridge() if quality == CV_BRIDGE_QUALITY else None

    def encode(self, picture):
        """JPEG bytes of a picture (height, width, 3) uint8 RGB."""
        bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        if self._bridge is not None:
            return bytes(self._bridge.cv2_to_compressed_imgmsg(bgr, 'jpeg').data)
        return cv2.imencode('.jpeg', bgr, self._options)[1].tobytes()


def _bridge():
    try:
        from cv_bridge import CvBridge
    except (ImportError, AttributeError):
        return None
    warnings.filterwarnings('ignore', category=DeprecationWarning, module='cv_bridge')
    return CvBridge()
