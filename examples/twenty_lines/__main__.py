"""A clinic in twenty lines of one's own Pulumi program."""

import pulumi

from securepacs import SecurePacs

pacs = SecurePacs(
    "pacs",
    {
        "name": "exa-twenty",
        "archive": {"ae_title": "EXATWENTY"},
        "dicom": {"port": 13101},
        "https": {"port": 19101},
        "peers": [{"ae_title": "CT01", "verbs": ["echo", "store"]}, {"ae_title": "WS01", "verbs": ["echo", "find", "get"]}],
        "people": [{"name": "vera", "role": "viewer"}],
        "backup": {"by": "restic on this host", "to": "backup.clinic.example", "hours": 26},
    },
)
pulumi.export("target", pacs.target)
pulumi.export("bundles", pacs.bundles)
pulumi.export("passwords", pacs.passwords)
