"""The executor's state with its reason, and what each state forbids."""

from kiwi_policy.core.states import ACTIVE, LATCHED, State


class ExecutorError(RuntimeError):
    """The executor's state does not allow what was asked."""


class Machine:
    """Where the executor is and why.

    Attributes:
        state: the present `State`.
        reason: in words.
        episode_id: of the present or the last episode.
    """

    def __init__(self):
        self.state, self.reason, self.episode_id = State.IDLE, 'no episode', ''

    def enter(self, state, reason):
        """Change the state."""
        self.state, self.reason = state, reason

    @property
    def active(self):
        """True while an episode runs."""
        return self.state in ACTIVE

    @property
    def autonomous(self):
        """True while an episode runs and no operator drives."""
        return self.active and self.state is not State.TAKEOVER

    @property
    def latched(self):
        """True after a stop or fault, until it is reset."""
        return self.state in LATCHED

    @property
    def shown_episode(self):
        """The episode's id while it runs or its stop is latched, else ''."""
        return self.episode_id if self.active or self.latched else ''

    def require_idle(self, what):
        """Raise ExecutorError where `what` cannot begin now."""
        if self.latched:
            raise ExecutorError(f'the executor is {self.state.name} ({self.reason}): reset it first')
        if self.active:
            raise ExecutorError(f'episode {self.episode_id!r} is running: end it first')
        if self.state is State.LIMP:
            raise ExecutorError(f'{what} needs torque, which is released: engage it first')
        if self.state is State.MOVING:
            raise ExecutorError(f'{what} has to wait: the executor is {self.reason}')
