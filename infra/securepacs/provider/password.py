"""securepacs:index:Password."""

from __future__ import annotations

import secrets
import uuid

import bcrypt
from passlib.handlers.sha2_crypt import sha512_crypt

from securepacs.provider.fields import FLAG, INTEGER, TEXT, Failure, Field, MapOf, Values, holds_unknown
from securepacs.provider.resource import Created, Resource
from securepacs.provider.validators import between

#: Letters and digits that nobody reads for another: 5.8 bits each.
ALPHABET = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
#: crypt(3)'s own default. The gateway computes the hash; more rounds would cost it, and the password is random.
ROUNDS = 5000
#: bcrypt's, 2^n: a quarter of a second. It is computed once a sign-in.
BCRYPT_COST = 12
#: Characters of a password that bcrypt looks at.
BCRYPT_LENGTH = 72


class Password(Resource):
    """A random password. Any change makes a new one, but that of whether a slow hash is wanted."""

    pulumi_type = "securepacs:index:Password"
    description = "A random password and its hashes."
    stable = frozenset({"value", "sha512crypt"})
    inputs = (
        Field("length", INTEGER, "Number of characters.", replace=True, default=24, validator=between(16, 128)),
        Field("keepers", MapOf(TEXT), "Any texts; a change of one makes a new password.", replace=True),
        Field("slowHash", FLAG, "Whether the bcrypt hash is wanted too."),
    )
    outputs = (
        Field("value", TEXT, "The password.", secret=True),
        Field("sha512crypt", TEXT, "Its hash in the form of crypt(3).", secret=True),
        Field("bcrypt", TEXT, "Its bcrypt hash; empty where it was not wanted.", secret=True),
    )

    def complete(self, inputs: Values) -> tuple[Values, list[Failure]]:
        """Hold a password that bcrypt hashes to what bcrypt looks at: 72 bytes."""
        if inputs.get("slowHash") is True and not holds_unknown(inputs["length"]) and inputs["length"] > BCRYPT_LENGTH:
            return {}, [Failure("length", f"got {inputs['length']}, expected {BCRYPT_LENGTH} at most where slowHash is wanted")]
        return {}, []

    def create(self, inputs: Values) -> Created:
        """Draw the password from the system's random source."""
        value = "".join(secrets.choice(ALPHABET) for _ in range(inputs["length"]))
        hashes = {"sha512crypt": sha512_crypt.using(rounds=ROUNDS).hash(value), "bcrypt": _bcrypt(value, inputs)}
        return Created(str(uuid.uuid4()), {"value": value, **hashes})

    def update(self, resource_id: str, state: Values, inputs: Values) -> Values:
        """Hash the same password slowly too, or forget that hash."""
        del resource_id
        return {"value": state["value"], "sha512crypt": state["sha512crypt"], "bcrypt": _bcrypt(state["value"], inputs)}


def _bcrypt(value: str, inputs: Values) -> str:
    return bcrypt.hashpw(value.encode(), bcrypt.gensalt(BCRYPT_COST)).decode() if inputs.get("slowHash") else ""
