"""Camera pictures of a world, rendered without stopping its physics for long."""

import threading

import mujoco


class Views:
    """Renders cameras of a world at one size. All calls must come from one thread.

    Args:
        world: the `World` to look at.
        height, width: picture size in pixels, at most 480 by 640.
    """

    def __init__(self, world, height, width):
        limit = world.model.vis.global_
        if not (0 < height <= limit.offheight and 0 < width <= limit.offwidth):
            raise ValueError(
                f'picture size {height}x{width} (height x width) is outside '
                f'1x1 to {limit.offheight}x{limit.offwidth}'
            )
        self.height = height
        self.width = width
        self._world = world
        self._data = mujoco.MjData(world.model)
        self._renderer = None
        self._thread = None

    def render(self, camera):
        """Picture (height, width, 3) uint8 RGB of one camera."""
        return self.render_all((camera,))[camera]

    def render_all(self, cameras):
        """Pictures of several cameras at one moment, as a dict from name to (height, width, 3)."""
        if not cameras:
            return {}
        renderer = self._own_renderer()
        with self._world.lock:
            mujoco.mj_copyData(self._data, self._world.model, self._world.data)
        pictures = {}
        for camera in cameras:
            renderer.update_scene(self._data, camera)
            pictures[camera] = renderer.render()
        return pictures

    def close(self):
        """Free the graphics context; call it from the rendering thread."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _own_renderer(self):
        thread = threading.get_ident()
        if self._renderer is None:
            self._renderer = mujoco.Renderer(self._world.model, self.height, self.width)
            self._thread = thread
        elif thread != self._thread:
            raise RuntimeError('a view renders only in the thread that used it first')
        return self._renderer
