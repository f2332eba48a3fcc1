"""policy_node that keeps what its policy is shown, a file for each chunk, in the folder named by the variable SHOWN."""

import itertools
import os
import sys
from pathlib import Path

import numpy as np

from kiwi_policy.nodes import policy_node


class Remembering:
    """A policy that saves the newest observation before it predicts."""

    def __init__(self, policy, folder):
        self.info, self._policy, self._folder = policy.info, policy, folder
        self._numbers = itertools.count()

    def predict(self, history, task='', rng=None, prefix=None):
        """As the policy."""
        np.savez(self._folder / f'{next(self._numbers):05d}.npz', **history[-1])
        return self._policy.predict(history, task=task, rng=rng, prefix=prefix)


if __name__ == '__main__':
    folder = Path(os.environ['SHOWN'])
    sys.exit(policy_node.main(load_policy=lambda parameters: Remembering(policy_node.load(parameters), folder)))
