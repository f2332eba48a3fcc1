"""What happened, in words: the differences between one status and the next."""

_SERIOUS = {'STARVED': 'WARN', 'STOPPED': 'WARN', 'FAULT': 'ERROR', 'TAKEOVER': 'WARN'}
_LEVELS = ('INFO', 'WARN', 'ERROR')
_NO_NEWS = 'inactive'   # chunks that come after their episode has ended


class Journal:
    """Turns what is heard into (level, text) events; levels are INFO, WARN and ERROR."""

    def __init__(self):
        self._state = self._policy = None
        self._episode, self._operator = '', ''
        self._rejects, self._underruns = {}, 0
        self._health = {}

    def on_status(self, state, reason, episode, rejects, underruns):
        """Events of a status.

        Args:
            state: name of the executor's state.
            reason: why, in words.
            episode: its id, '' for none.
            rejects: reason -> count of the chunks refused in this episode.
            underruns: times the actions ran out in this episode.
        """
        events = []
        if episode != self._episode:
            events.append(('INFO', f'episode {episode} begins' if episode else f'episode {self._episode} is over'))
            self._episode, self._rejects, self._underruns = episode, {}, 0
        for name, count in rejects.items():
            new = count - self._rejects.get(name, 0)
            if new > 0 and name != _NO_NEWS:
                events.append(('WARN', f'{new} chunk{"s" * (new > 1)} refused: {name} ({count} in this episode)'))
        if underruns > self._underruns:
            events.append(('WARN', f'out of actions, for the {underruns}. time in this episode'))
        if state != self._state:
            events.append((_SERIOUS.get(state, 'INFO'), f'{state}: {reason}' if reason else state))
        self._state, self._rejects, self._underruns = state, dict(rejects), underruns
        return events

    def on_takeover(self, engaged, operator):
        """Events of a takeover command: an operator takes over or hands back."""
        now = (operator or 'an operator') if engaged else ''
        before, self._operator = self._operator, now
        if now == before:
            return []
        if not now:
            return [('INFO', f'{before} hands back to the policy')]
        return [('WARN', f'{now} drives, the dead-man is held')]

    def on_policy(self, run, head, digest):
        """Events of a policy's introduction: a start or a restart."""
        if run == self._policy:
            return []
        again = self._policy is not None
        self._policy = run
        policy = f'policy {head} {digest}'
        return [('WARN', f'{policy} has started again') if again else ('INFO', f'{policy} runs')]

    def on_health(self, name, level, message):
        """Events of a diagnostic status; `level` counts from 0, all is well."""
        level = min(int(level), 2)
        before = self._health.get(name, 0)
        self._health[name] = level
        if level == before:
            return []
        return [(_LEVELS[level], f'{name}: {message}' if level else f'{name} is well again: {message}')]
