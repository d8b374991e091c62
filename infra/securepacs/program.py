"""The Pulumi program: one stack is one clinic. Both `securepacs up` and plain `pulumi up` run this."""

from __future__ import annotations

import pulumi

from securepacs.clinic import CONFIG_KEY
from securepacs.component import SecurePacs
from securepacs.errors import ConfigurationError

#: The stack's outputs, each an attribute of SecurePacs.
OUTPUTS = ("target", "bundles", "passwords", "tokens", "certificates")


def program(kind: type[SecurePacs] = SecurePacs) -> None:
    """Deploy the clinic that the stack's configuration declares.

    Raises pulumi.RunError, which the engine shows as one line without a traceback.
    """
    namespace, _, key = CONFIG_KEY.partition(":")
    declared = pulumi.Config(namespace).get_object(key)
    try:
        if declared is None:
            raise ConfigurationError(
                CONFIG_KEY, got="nothing", expected="a clinic", do="write it into Pulumi.<stack>.yaml as Pulumi.dev.yaml does"
            )
        pacs = kind("pacs", declared)
    except ConfigurationError as error:
        raise pulumi.RunError(str(error)) from None
    for name in OUTPUTS:
        pulumi.export(name, getattr(pacs, name))
