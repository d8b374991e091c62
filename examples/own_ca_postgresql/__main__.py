"""A clinic whose certificates one's own authority signs, and whose index PostgreSQL keeps."""

from pathlib import Path

import pulumi

from securepacs import SecurePacs

config = pulumi.Config()
pacs = SecurePacs(
    "pacs",
    {
        "name": "exa-own-ca",
        "archive": {"ae_title": "EXAOWNCA"},
        "database": "postgresql",
        "dicom": {"port": 13121},
        "https": {"port": 19121},
        "peers": [{"ae_title": "CT01", "verbs": ["echo", "store"]}, {"ae_title": "WS01", "verbs": ["echo", "find", "get"]}],
        "people": [{"name": "vera", "role": "viewer"}],
        "backup": {"by": "restic on this host", "to": "backup.clinic.example", "hours": 26},
        "own_authority": {
            "certificate": Path(config.require("authorityCertificate")).read_text(encoding="ascii"),
            "key": config.require_secret("authorityKey"),
        },
    },
)
pulumi.export("target", pacs.target)
pulumi.export("bundles", pacs.bundles)
pulumi.export("certificates", pacs.certificates)
