"""The operator's services, takeover commands and the speed scale of chunk_executor_node."""

from kiwi_msgs.msg import TakeoverCommand
from rcl_interfaces.msg import SetParametersResult
from std_srvs.srv import Trigger

from kiwi_policy.core.parameters import ParameterError
from kiwi_policy.nodes import qos

SPEED_SCALE = 'speed_scale'


class OperatorPorts:
    """Services under `executor/` that answer at once; the status tells when a move has arrived. Takeover commands.

    Args:
        node: the chunk_executor_node.
        session: returns the `ExecutorSession`, None while the node is not active.
        table: the node's parameter table.
        inactive: what is said then.
    """

    def __init__(self, node, session, table, inactive):
        self._session, self._inactive = session, inactive
        self._scale = next(parameter for parameter in table if parameter.name == SPEED_SCALE)
        asked = {
            'stop': lambda session: session.halt(),
            'reset': lambda session: session.reset(),
            'move_to_start': lambda session: session.move_to('start'),
            'move_to_rest': lambda session: session.move_to('rest'),
            'release_torque': lambda session: session.release(),
            'engage_torque': lambda session: session.engage(),
        }
        for name, ask in asked.items():
            node.create_service(Trigger, f'executor/{name}', self._serve(ask))
        node.create_subscription(TakeoverCommand, 'takeover/command', self._on_takeover, qos.TAKEOVER)
        node.add_on_set_parameters_callback(self._on_parameters)

    def _serve(self, ask):
        def callback(_request, response):
            session = self._session()
            response.success, response.message = ask(session) if session else (False, self._inactive)
            return response
        return callback

    def _on_takeover(self, message):
        session = self._session()
        if session is not None:
            session.takeover.put(message)

    def _on_parameters(self, parameters):
        for parameter in parameters:
            if parameter.name != SPEED_SCALE:
                continue
            try:
                scale = float(self._scale.check(parameter.value))
            except ParameterError as error:
                return SetParametersResult(successful=False, reason=str(error))
            session = self._session()
            done, why = session.set_speed_scale(scale) if session else (True, '')
            if not done:
                return SetParametersResult(successful=False, reason=why)
        return SetParametersResult(successful=True)
