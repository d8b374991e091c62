"""Fields that every Docker resource has."""

from __future__ import annotations

from securepacs.provider.fields import TEXT, Field
from securepacs.provider.validators import label_value

OWNER = (
    Field("stack", TEXT, "The stack, for the object's label.", required=True, replace=True, validator=label_value),
    Field("component", TEXT, "The component of the stack, for the object's label.", required=True, replace=True, validator=label_value),
)
