"""A PACS on a private network with TLS and authentication, as a Pulumi component.

`SecurePacs` is the component; its arguments are `SecurePacsArgs`, the clinic.
"""

from securepacs.args import SecurePacsArgs
from securepacs.component import SecurePacs
from securepacs.errors import ConfigurationError, SecurePacsError

__all__ = ["ConfigurationError", "SecurePacs", "SecurePacsArgs", "SecurePacsError"]
