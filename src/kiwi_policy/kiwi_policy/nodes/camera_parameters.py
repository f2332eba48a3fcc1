"""Parameters of camera_node, and what is made of them."""

import re

from kiwi_policy.core.parameters import Parameter as P
from kiwi_policy.core.parameters import ParameterError
from kiwi_policy.hardware.file_camera import FileCamera
from kiwi_policy.hardware.picture import ROTATIONS, PictureMaker
from kiwi_policy.hardware.synthetic_camera import SyntheticCamera
from kiwi_policy.hardware.v4l2_camera import V4L2Camera

LEKIWI_ROTATIONS = {'front': 'cw180', 'wrist': 'cw90'}
"""How LeRobot's configuration of LeKiwi turns its cameras (ROTATE_180 and ROTATE_90)."""

LONGEST_NAME = 64

SOURCES = ('v4l2', 'file', 'synthetic')

TABLE = (
    P('camera', 'front', 'Name of the camera: it publishes camera/<name>/image_raw/compressed.'),
    P('source', 'v4l2', 'What delivers the frames: a V4L2 camera, a video file or folder of images played over and '
      'over, or a moving test picture.', choices=SOURCES),
    P('device', '', 'Device of a V4L2 camera: a path, or a quoted number \'N\' for /dev/videoN. Links below '
      '/dev/v4l/by-path and /dev/v4l/by-id stay the same when cameras are plugged in anew. For a file source: its '
      'path.'),
    P('width', 640, 'Width of the sensor\'s picture, before rotation. A file has its own.', 'pixels', 16, 7680),
    P('height', 480, 'Height of the sensor\'s picture, before rotation (LeRobot writes down 640 for the wrist camera '
      'that it turns, which is 480 here). A file has its own.', 'pixels', 16, 4320),
    P('rate', 30.0, 'Frames per second.', 'Hz', 1.0, 240.0),
    P('fourcc', 'MJPG', 'Pixel format asked of a V4L2 camera, e.g. MJPG or YUYV; empty leaves the camera\'s own.'),
    P('rotation', 'lekiwi', 'How frames are turned to stand upright. lekiwi: as LeRobot does with the cameras of '
      'LeKiwi, front by cw180 and wrist by cw90.', choices=('lekiwi', *ROTATIONS)),
    P('publish_size', [0, 0], 'Width and height of the published picture, after rotation; 0, 0 leaves them.', 'pixels',
      0, 7680),
    P('jpeg_quality', 95, 'Quality of frames that are encoded here. JPEGs of a camera are passed through where they '
      'need neither rotation nor resizing.', '', 1, 100),
    P('frozen_timeout', 1.0, 'Time for which a camera may repeat one frame, or deliver none but damaged or old ones, '
      'before it is opened anew. Repeated frames are never published.', 's', 0.1, 60.0),
    P('may_repeat', False, 'Publish repeated frames like others: for a source without a sensor\'s noise.'),
    P('max_frame_age', 0.25, 'Oldest frame that is published, by the driver\'s own time; 0 for no bound.', 's',
      0.0, 10.0),
    P('reconnect_interval', 1.0, 'Time between attempts to open a camera that is frozen or gone.', 's', 0.1, 60.0),
)


def make_source(parameters):
    """The `FrameSource` that the parameters name. Raises ParameterError."""
    p = parameters
    try:
        if p.source == 'synthetic':
            return SyntheticCamera(p.width, p.height, p.rate)
        if p.source == 'file':
            return FileCamera(p.device, p.rate)
        return V4L2Camera(p.device, p.width, p.height, p.rate, p.fourcc)
    except ValueError as error:
        raise ParameterError(f'parameter {error}') from error


def make_picture_maker(parameters):
    """The `PictureMaker` that the parameters describe. Raises ParameterError."""
    size = parameters.publish_size
    if len(size) != 2 or (size[0] == 0) != (size[1] == 0):
        raise ParameterError(f'parameter publish_size is {size}, must be [width, height] in pixels, or [0, 0]')
    return PictureMaker(rotation_of(parameters), tuple(size) if size[0] else None, parameters.jpeg_quality)


def rotation_of(parameters):
    """The rotation that the parameters mean, one of ROTATIONS. Raises ParameterError."""
    if parameters.rotation != 'lekiwi':
        return parameters.rotation
    if parameters.camera not in LEKIWI_ROTATIONS:
        raise ParameterError(f'parameter rotation is lekiwi, which has the cameras {", ".join(LEKIWI_ROTATIONS)} '
                             f'and no {parameters.camera}: choose one of {", ".join(ROTATIONS)}')
    return LEKIWI_ROTATIONS[parameters.camera]


def check_name(camera, parameter='camera'):
    """Return the name of a camera. Raises ParameterError where it cannot be part of a topic."""
    if not re.fullmatch('[a-zA-Z]([a-zA-Z0-9]|_(?!_))*', camera) or len(camera) > LONGEST_NAME:
        raise ParameterError(f'parameter {parameter} {"is" if parameter == "camera" else "holds"} {camera!r}, must be a word of '
                             f'{LONGEST_NAME} letters, digits and _ at most, e.g. front')
    return camera
