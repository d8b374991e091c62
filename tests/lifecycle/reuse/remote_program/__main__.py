"""What a generated SDK of any language sends: a remote component by its token, with the names of the schema. No code of securepacs."""

import sys

import pulumi

config = pulumi.Config()


def clinic(name: str, number: int, **more: object) -> pulumi.ComponentResource:
    """Declare one clinic."""
    arguments = {
        "name": name,
        "archive": {"aeTitle": name.upper().replace("-", "")},
        "dicom": {"port": 13160 + number},
        "https": {"port": 19160 + number},
        "peers": [{"aeTitle": "CT01", "verbs": ["echo", "store"]}, {"aeTitle": "WS01", "verbs": ["echo", "find"]}],
        "limits": {"archiveMemoryMb": 512},
        **more,
    }
    outputs = {"target": None, "bundles": None, "passwords": None, "certificates": None}
    return pulumi.ComponentResource("securepacs:index:SecurePacs", name, {**arguments, **outputs}, remote=True)


def output(of: pulumi.ComponentResource, name: str) -> object:
    """Give an output of a component that has no class here."""
    return of.__dict__[name]


made = clinic("exa-first", config.get_int("number") or 1, people=[{"name": "vera", "role": config.get("role") or "viewer"}])
own = clinic(
    "exa-second", 2, ownAuthority={"certificate": config.require("authorityCertificate"), "key": config.require_secret("authorityKey")}
)
for short, one in (("first", made), ("second", own)):
    for what in ("target", "bundles", "passwords"):
        pulumi.export(f"{short}-{what}", output(one, what))
pulumi.export("imported", "securepacs" in sys.modules)
