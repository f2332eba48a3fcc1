"""The process that renders and encodes the cameras, so that physics and bus never wait for it.

Started by `Cameras`, with the cameras and the quality as JSON on its command line; shots arrive on
stdin, frames leave on stdout, and the end of stdin ends it.
"""

import json
import os
import signal
import sys

import mujoco

from kiwi_sim.camera_wire import STATE, CameraSpec, Frame, read_shot, write_frame, write_ready
from kiwi_sim.jpeg import JpegEncoder
from kiwi_sim.views import Views
from kiwi_sim.world import World


class Photographer:
    """Turns states into pictures.

    Args:
        specs: `CameraSpec`s.
    """

    def __init__(self, specs):
        self._world = World()
        self._specs = specs
        sizes = dict.fromkeys((spec.height, spec.width) for spec in specs)
        self._views = {size: Views(self._world, *size) for size in sizes}
        self.state_size = mujoco.mj_stateSize(self._world.model, STATE)

    def close(self):
        """Free the graphics contexts."""
        for views in self._views.values():
            views.close()

    def take(self, state, mask):
        """Yield (index, picture) for every camera whose bit is set in `mask`, in the given state (n,)."""
        mujoco.mj_setState(self._world.model, self._world.data, state, STATE)
        yield from self.take_current(mask)

    def take_current(self, mask):
        """As `take`, in the state last set."""
        model, data = self._world.model, self._world.data
        mujoco.mj_kinematics(model, data)
        mujoco.mj_camlight(model, data)
        for size, views in self._views.items():
            wanted = {
                spec.name: index for index, spec in enumerate(self._specs)
                if mask >> index & 1 and (spec.height, spec.width) == size
            }
            for name, picture in views.render_all(tuple(wanted)).items():
                yield wanted[name], picture


def main():
    """Serve shots until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    out = os.fdopen(os.dup(1), 'wb')
    os.dup2(2, 1)  # whatever a library prints goes to stderr, not between the frames
    options = json.loads(sys.argv[1])
    photographer = Photographer([CameraSpec(**spec) for spec in options['cameras']])
    encoder = JpegEncoder(options['quality'])
    size = photographer.state_size
    every = (1 << len(options['cameras'])) - 1
    for _, picture in photographer.take_current(every):
        encoder.encode(picture)
    try:
        write_ready(out)
        while (shot := read_shot(sys.stdin.buffer, size)) is not None:
            stamp, mask, state = shot
            for number, (index, picture) in enumerate(photographer.take(state, mask), start=1):
                write_frame(out, Frame(stamp, index, number == mask.bit_count(), encoder.encode(picture)))
    except BrokenPipeError:
        pass
    finally:
        photographer.close()


if __name__ == '__main__':
    main()
