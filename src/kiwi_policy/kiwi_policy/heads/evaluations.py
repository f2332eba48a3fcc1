"""Counting the function evaluations of any LeRobot policy by instrumenting its network."""

import operator

from .backbone import ChunkBackbone

COUNTED = {
    'kiwi_bc': 'backbone',
    'kiwi_cvae': 'backbone',
    'kiwi_diffusion': 'backbone',
    'kiwi_flow': 'backbone',
    'act': 'model',
    'diffusion': 'diffusion.unet',
}
"""Per policy type, the module whose every forward pass is one evaluation."""

COUNTED_METHOD = {
    'smolvla': ('model', 'denoise_step'),
    'pi0': ('model', 'denoise_step'),
    'pi05': ('model', 'denoise_step'),
}
"""Per policy type without such a module, the owner and its method called once per evaluation."""


class EvaluationCounter:
    """Counts what `policy` computes; `count` is the number so far, None for an unknown type."""

    def __init__(self, policy):
        self._own = None
        self._calls = 0
        self._known = True
        if policy.name in COUNTED:
            network = operator.attrgetter(COUNTED[policy.name])(policy)
            if isinstance(network, ChunkBackbone):
                self._own = network
            else:
                network.register_forward_pre_hook(lambda *_: self._add())
        elif policy.name in COUNTED_METHOD:
            owner, method = COUNTED_METHOD[policy.name]
            self._wrap(operator.attrgetter(owner)(policy), method)
        else:
            self._known = False

    @property
    def count(self):
        if self._own is not None:
            return self._own.evaluations
        return self._calls if self._known else None

    def _add(self):
        self._calls += 1

    def _wrap(self, owner, method):
        inner = getattr(owner, method)

        def counted(*args, **kwargs):
            self._add()
            return inner(*args, **kwargs)

        setattr(owner, method, counted)
