"""A pool of the processes of a Ray cluster. Ray is optional."""

import os
import sys

from kiwi_training.bakeoff.pools import Done, PoolError, attempt, last_line

ENVIRONMENT = ('OMP_NUM_THREADS', 'LP_NUM_THREADS', 'MUJOCO_GL', 'HF_HUB_OFFLINE', 'XDG_CACHE_HOME')


class RayPool:
    """Runs tasks on a cluster whose machines see the same folders at the same paths; work on cuda gets a GPU.

    Args:
        address: of the cluster ('auto', 'ray://host:10001', ...); 'local' or '' starts Ray on this machine.
        jobs: processes where Ray is started here.

    Raises:
        PoolError: Ray is not installed or cannot be reached.
    """

    def __init__(self, address='local', jobs=None):
        try:
            import ray
        except ImportError as error:
            raise PoolError('--ray needs Ray, which is not installed here: pip install ray (or leave --ray out)') \
                from error
        self._ray = ray
        here = address in ('', 'local')
        variables = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
        variables['PYTHONPATH'] = os.pathsep.join(dict.fromkeys(
            [path for path in sys.path if path] + os.environ.get('PYTHONPATH', '').split(os.pathsep)))
        try:
            ray.init(address='local' if here else address, num_cpus=jobs if here else None,
                     include_dashboard=False if here else None, log_to_driver=False, configure_logging=False,
                     runtime_env={'env_vars': variables})
        except Exception as error:
            raise PoolError(f'Ray at {address!r} cannot be reached: {last_line(error)}') from error
        self._attempt = ray.remote(num_cpus=1, max_retries=0)(attempt)

    def run(self, tasks, watcher):
        running = {}
        for task in tasks:
            gpus = getattr(task.work, 'gpus', 0)
            running[self._attempt.options(num_gpus=gpus).remote(task.work)] = task
            watcher.started(task)
        try:
            while running:
                ready, _ = self._ray.wait(list(running), timeout=0.5)
                watcher.tick()
                for reference in ready:
                    task = running.pop(reference)
                    try:
                        yield Done(task, *self._ray.get(reference))
                    except self._ray.exceptions.RayError as error:
                        yield Done(task, None, last_line(error))
        finally:
            for reference in running:
                self._ray.cancel(reference, force=True)

    def close(self):
        self._ray.shutdown()
