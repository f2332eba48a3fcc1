"""Services that rclpy gives every node. A request that makes no sense would end the node; here it is refused."""

from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import SetParameters, SetParametersAtomically


def guard_services(node):
    """Guard the services of `node` that set parameters and change its lifecycle state."""
    for service in node.services:
        refuse = REFUSALS.get(service.srv_type)
        if refuse is not None:
            service.callback = _guarded(node, service.callback, refuse)


def _guarded(node, callback, refuse):
    def answer(request, response):
        try:
            return callback(request, response)
        except (ValueError, RuntimeError) as error:     # no such type of a value; no such transition from here
            reason = ' '.join(str(error).split())
            node.get_logger().warning(f'refused a request: {reason}')
            refuse(request, response, reason)
            return response
    return answer


def _refuse_each(request, response, reason):
    left = len(request.parameters) - len(response.results)
    response.results.extend(SetParametersResult(reason=reason) for _ in range(left))


def _refuse_all(_request, response, reason):
    response.result = SetParametersResult(reason=reason)


def _stay(_request, response, _reason):
    response.success = False


REFUSALS = {SetParameters: _refuse_each, SetParametersAtomically: _refuse_all, ChangeState: _stay}
