"""Asks the nodes of a namespace for all their parameters, without ever waiting for them."""

from rcl_interfaces.msg import Parameter, ParameterEvent
from rcl_interfaces.srv import GetParameters, ListParameters

RETRY = 3.0
"""s after which a node is asked again: its answer may have been lost before it knew this client."""


class ParameterSnapshot:
    """Asks each node until it has answered, once per recording; one that comes late is asked all the same.

    Args:
        node: rclpy node that asks; its own parameters are asked for like those of others.
        publish: called with a ParameterEvent for each node, in the spinning thread.
    """

    def __init__(self, node, publish):
        self._node, self._publish = node, publish
        self._clients = {}
        self._asked, self._answered = {}, None

    @property
    def missing(self):
        """Names of the nodes whose parameters have not come in this recording."""
        return set() if self._answered is None else self._names() - self._answered

    def begin(self, now):
        """A recording begins at `now` (s on a steady clock): ask everybody."""
        self._asked, self._answered = {}, set()
        self.look(now)

    def end(self):
        """Ask nobody any more."""
        self._answered = None

    def look(self, now):
        """Get to know new nodes, and while recording ask those that have not answered. Call it now and then."""
        names = self._names()
        for gone in set(self._clients) - names:
            for client in self._clients.pop(gone):
                self._node.destroy_client(client)
        for name in names:
            lists, gets = self._clients_of(name)
            if self._answered is None or name in self._answered or now - self._asked.get(name, -RETRY) < RETRY:
                continue
            if lists.service_is_ready() and gets.service_is_ready():
                self._asked[name] = now
                self._ask(name, lists, gets, self._answered)

    def _names(self):
        space = self._node.get_namespace()
        return {f'{found.rstrip("/")}/{name}' for name, found in self._node.get_node_names_and_namespaces()
                if found == space and not name.startswith('_')}

    def _clients_of(self, name):
        if name not in self._clients:
            self._clients[name] = (self._node.create_client(ListParameters, f'{name}/list_parameters'),
                                   self._node.create_client(GetParameters, f'{name}/get_parameters'))
        return self._clients[name]

    def _ask(self, name, lists, gets, answered):
        """Ask for names, then values; `answered` tells whether it is still the same recording."""
        def on_names(future):
            names = sorted(future.result().result.names)
            if answered is self._answered:
                gets.call_async(GetParameters.Request(names=names)).add_done_callback(
                    lambda future: on_values(names, future.result().values))

        def on_values(names, values):
            if answered is self._answered and name not in answered:
                answered.add(name)
                event = ParameterEvent(node=name, new_parameters=[
                    Parameter(name=key, value=value) for key, value in zip(names, values)])
                event.stamp = self._node.get_clock().now().to_msg()
                self._publish(event)

        lists.call_async(ListParameters.Request()).add_done_callback(on_names)
