"""Declares the parameters of a table on a node; the YAML files in config/ are written from the same tables.

    python -m kiwi_policy.nodes.write_config FOLDER      # writes policy.yaml, executor.yaml, rollout.yaml
"""

from types import SimpleNamespace

from kiwi_policy.core.parameters import ParameterError, refuse_unknown
from kiwi_policy.nodes.guarded_services import guard_services


def declare(node, table):
    """Declare every parameter of `table` on `node`, read-only unless it is live, and return their values.

    Args:
        node: rclpy node.
        table: `Parameter`s.

    Returns:
        a namespace with one attribute per parameter.

    Raises:
        ParameterError: for a wrong type, a value out of bounds, or a name that is not in the table.
    """
    from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException

    guard_services(node)
    refuse_unknown([name for name in node._parameter_overrides if not node.has_parameter(name)], table)
    values = SimpleNamespace()
    for parameter in table:
        try:
            declared = node.declare_parameter(parameter.name, parameter.default, _descriptor(parameter)).value
        except InvalidParameterTypeException as error:
            hint = ' (write 20.0, not 20)' if isinstance(parameter.default, float) else ''
            like = f'{parameter.default!r}{hint}'
            raise ParameterError(f'parameter {parameter.name} must be like {like}: {error}') from error
        except InvalidParameterValueException as error:
            raise ParameterError(f'parameter {parameter.name} must lie in {parameter.bounds()}: {error}') from error
        if declared is None:        # rclpy takes an empty list for no value at all
            raise ParameterError(f'parameter {parameter.name} has no value, must be like {parameter.default!r}')
        value = list(declared) if isinstance(parameter.default, list | tuple) else declared
        setattr(values, parameter.name, parameter.check(value))
    return values


def _descriptor(parameter):
    from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

    descriptor = ParameterDescriptor(
        description=f'{parameter.description} [{parameter.unit}]' if parameter.unit else parameter.description,
        additional_constraints=parameter.bounds(), read_only=not parameter.live)
    bounded = parameter.low is not None or parameter.high is not None
    if bounded and isinstance(parameter.default, float):
        descriptor.floating_point_range = [FloatingPointRange(
            from_value=-1e308 if parameter.low is None else float(parameter.low),
            to_value=1e308 if parameter.high is None else float(parameter.high))]
    elif bounded and isinstance(parameter.default, int):
        descriptor.integer_range = [IntegerRange(
            from_value=-2**63 if parameter.low is None else int(parameter.low),
            to_value=2**63 - 1 if parameter.high is None else int(parameter.high))]
    return descriptor
