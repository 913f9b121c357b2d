"""docker/compose.yaml with its variables filled in, as compose does it: after the YAML is read, in every text."""

import re

from tests.docker.test_container_files import COMPOSE

VARIABLE = re.compile(r"\$\$|\$\{(\w+)(?::([-?])([^}]*))?\}")


def services(variables):
    """{name: service}. Raises KeyError for a required variable that is not given."""

    def value(match):
        if match[0] == "$$":
            return "$"
        return (variables.get(match[1]) or match[3]) if match[2] == "-" else variables[match[1]]

    def filled(node):
        if isinstance(node, dict):
            return {key: filled(value) for key, value in node.items()}
        if isinstance(node, list):
            return [filled(value) for value in node]
        return VARIABLE.sub(value, node) if isinstance(node, str) else node

    return filled(COMPOSE["services"])
