"""securepacs:index:Password."""

from __future__ import annotations

import secrets
import uuid

from passlib.handlers.sha2_crypt import sha512_crypt

from securepacs.provider.fields import INTEGER, TEXT, Field, MapOf, Values
from securepacs.provider.resource import Created, Resource
from securepacs.provider.validators import between

#: Letters and digits that nobody reads for another: 5.8 bits each.
ALPHABET = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
#: crypt(3)'s own default. The gateway computes the hash; more rounds would cost it, and the password is random.
ROUNDS = 5000


class Password(Resource):
    """A random password. Any change makes a new one."""

    pulumi_type = "securepacs:index:Password"
    description = "A random password and its sha512crypt hash."
    inputs = (
        Field("length", INTEGER, "Number of characters.", replace=True, default=24, validator=between(16, 128)),
        Field("keepers", MapOf(TEXT), "Any texts; a change of one makes a new password.", replace=True),
    )
    outputs = (
        Field("value", TEXT, "The password.", secret=True),
        Field("sha512crypt", TEXT, "Its hash in the form of crypt(3).", secret=True),
    )

    def create(self, inputs: Values) -> Created:
        """Draw the password from the system's random source."""
        value = "".join(secrets.choice(ALPHABET) for _ in range(inputs["length"]))
        return Created(str(uuid.uuid4()), {"value": value, "sha512crypt": sha512_crypt.using(rounds=ROUNDS).hash(value)})
