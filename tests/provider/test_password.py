from __future__ import annotations

from typing import TYPE_CHECKING

import bcrypt
import pytest
from passlib.handlers.sha2_crypt import sha512_crypt

from provider.stub import Provider, Secret

if TYPE_CHECKING:
    from collections.abc import Callable

PASSWORD = "securepacs:index:Password"  # noqa: S105 - a Pulumi type token, not a credential


def test_a_password_and_its_hash_are_secret_and_belong_together(provider: Provider) -> None:
    """The hash is crypt(3)'s sha512 with 5000 rounds, and verifies the password only."""
    made = provider.create(PASSWORD, {"length": 32})
    assert isinstance(made.state["value"], Secret)
    assert isinstance(made.state["sha512crypt"], Secret)
    assert len(made.output("value")) == 32
    assert made.output("sha512crypt").startswith("$6$")
    verify: Callable[[str, str], bool] = sha512_crypt.verify
    assert verify(made.output("value"), made.output("sha512crypt"))
    assert not verify(made.output("value") + "x", made.output("sha512crypt"))


def test_two_passwords_differ(provider: Provider) -> None:
    """Each password is drawn anew."""
    assert len({provider.create(PASSWORD, {}).output("value") for _ in range(5)}) == 5


def test_a_keeper_makes_a_new_password(provider: Provider) -> None:
    """The same inputs change nothing; a changed keeper replaces."""
    made = provider.create(PASSWORD, {"keepers": {"rotation": "1"}})
    assert not provider.diff(made).changes
    diff = provider.diff(made, {"keepers": {"rotation": "2"}})
    assert (diff.replaces, diff.details) == (["keepers"], {"keepers.rotation": "UPDATE_REPLACE"})


def test_a_slow_hash_is_added_to_the_same_password_and_taken_away(provider: Provider) -> None:
    """Whoever asks for bcrypt gets it as a secret, of cost 12, without a new password; whoever asks no longer has none."""
    made = provider.create(PASSWORD, {})
    assert made.output("bcrypt") == ""
    diff = provider.diff(made, {"slowHash": True})
    assert (diff.replaces, diff.details) == ([], {"slowHash": "ADD"})
    slow = provider.update(made, {"slowHash": True})
    assert isinstance(slow.state["bcrypt"], Secret)
    assert slow.output("bcrypt").startswith("$2b$12$")
    assert (slow.output("value"), slow.output("sha512crypt")) == (made.output("value"), made.output("sha512crypt"))
    assert bcrypt.checkpw(slow.output("value").encode(), slow.output("bcrypt").encode())
    assert not bcrypt.checkpw(slow.output("value").encode() + b"x", slow.output("bcrypt").encode())
    assert provider.update(slow, {}).output("bcrypt") == ""


@pytest.mark.parametrize("length", [15, 129, "long", 20.5])
def test_a_bad_length_is_refused(provider: Provider, length: object) -> None:
    """Fewer than 16 characters, more than 128, or no whole number is a failure of length."""
    assert list(provider.check(PASSWORD, {"length": length})[1]) == ["length"]


def test_a_password_that_bcrypt_would_cut_is_refused(provider: Provider) -> None:
    """Where the slow hash is wanted, 72 characters are the most."""
    assert provider.check(PASSWORD, {"length": 72, "slowHash": True})[1] == {}
    assert list(provider.check(PASSWORD, {"length": 73, "slowHash": True})[1]) == ["length"]


def test_an_unknown_type_is_refused_in_one_line(provider: Provider) -> None:
    """A resource that the provider does not have is named, with those that it has."""
    with pytest.raises(Exception, match=r"^resource type: got securepacs:index:Secret, expected one of securepacs:docker:Container"):
        provider.check("securepacs:index:Secret", {})
