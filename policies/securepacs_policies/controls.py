"""The one catalogue of controls: what must be so, which clauses of which framework ask for it, and what is left to the clinic.

Pure data: policies prevent, the harness detects, and both name a control by its id here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final


@dataclasses.dataclass(frozen=True, slots=True)
class Framework:
    """A source of clauses, in the edition that is cited."""

    id: str
    title: str
    edition: str


FRAMEWORKS: Final[Mapping[str, Framework]] = {
    framework.id: framework
    for framework in (
        Framework("HIPAA", "HIPAA Security Rule, 45 CFR part 164 subpart C", "as amended on 25 January 2013"),
        Framework("800-53", "NIST SP 800-53, Security and Privacy Controls", "revision 5, release 5.1.1"),
        Framework("800-66", "NIST SP 800-66, Implementing the HIPAA Security Rule", "revision 2, February 2024"),
        Framework("1800-24", "NIST SP 1800-24, Securing PACS (subcategories of the Cybersecurity Framework 1.1)", "December 2020"),
        Framework("CIS-Docker", "CIS Docker Benchmark", "1.6.0"),
        Framework("DICOM", "DICOM PS3.15, Security and System Management Profiles", "2024"),
        Framework("IHE", "IHE IT Infrastructure Technical Framework, Audit Trail and Node Authentication", "revision 20, 2023"),
    )
}


@dataclasses.dataclass(frozen=True, slots=True)
class Clause:
    """One clause: a number within a framework."""

    framework: str
    number: str

    def __str__(self) -> str:
        return f"{self.framework} {self.number}"


@dataclasses.dataclass(frozen=True, slots=True)
class Control:
    """What must be so. `statement` says it in one sentence; `left_to_clinic` what no tool can do, '' where nothing is."""

    id: str
    title: str
    statement: str
    clauses: tuple[Clause, ...]
    left_to_clinic: str = ""


def _control(id: str, title: str, statement: str, clauses: Mapping[str, str], left_to_clinic: str = "") -> Control:
    """Write one entry; `clauses` maps a framework to its numbers, separated by blanks."""
    cited = tuple(Clause(framework, number) for framework, numbers in clauses.items() for number in numbers.split())
    return Control(id, title, statement, cited, left_to_clinic)


_CONTROLS: Final = (
    # Network.
    _control(
        "network-exposure",
        "Only declared ports answer",
        "Nothing of the PACS answers from outside but the listeners that are declared, each on the address that is named.",
        {"HIPAA": "164.312(e)(1)", "800-53": "CM-7 SC-7", "1800-24": "PR.AC-5 PR.PT-3", "CIS-Docker": "5.9 5.14"},
        "The firewall between the clinic's networks and the Internet.",
    ),
    _control(
        "network-segmentation",
        "Archive and database stand on networks of their own",
        "The archive and its database are reached through the gateway only.",
        {"HIPAA": "164.312(e)(1)", "800-53": "SC-7 AC-4", "1800-24": "PR.AC-5", "CIS-Docker": "5.30"},
    ),
    _control(
        "network-egress",
        "The archive has no way out",
        "The archive can open connections to declared peers only.",
        {"HIPAA": "164.312(e)(1)", "800-53": "SC-7 AC-4", "1800-24": "PR.AC-5 PR.DS-5"},
    ),
    # Transmission.
    _control(
        "transmission-encryption",
        "Images travel encrypted",
        "DICOM and the web are reached over TLS only.",
        {
            "HIPAA": "164.312(e)(1) 164.312(e)(2)(i) 164.312(e)(2)(ii)",
            "800-53": "SC-8 SC-13",
            "1800-24": "PR.DS-2",
            "DICOM": "B.12",
            "IHE": "ITI-19",
        },
        "Devices that know no TLS: a waiver, a segment of their own, their replacement.",
    ),
    _control(
        "tls-profile",
        "TLS as BCP 195 asks",
        "TLS 1.2 or later, ephemeral keys and authenticated encryption; nothing older, nothing weaker.",
        {"HIPAA": "164.312(e)(2)(ii)", "800-53": "SC-8(1) SC-13", "1800-24": "PR.DS-2", "DICOM": "B.12 B.13", "IHE": "ITI-19"},
    ),
    _control(
        "server-certificate",
        "The PACS proves who it is",
        "Each listener shows a certificate of the declared authority, for its own name, with a strong key and time left.",
        {"HIPAA": "164.312(d)", "800-53": "SC-17 SC-23 IA-5(2)", "1800-24": "PR.AC-7", "DICOM": "B.12", "IHE": "ITI-19"},
        "Where the authority's own key is kept, and who may use it.",
    ),
    # Who a peer is, and what it may do.
    _control(
        "peer-authentication",
        "A peer shows a certificate",
        "No association is made with a peer that does not prove itself by a certificate of the clinic's.",
        {"HIPAA": "164.312(d)", "800-53": "IA-3 IA-5(2) SC-23", "1800-24": "PR.AC-1 PR.AC-7", "DICOM": "B.12", "IHE": "ITI-19"},
    ),
    _control(
        "certificate-revocation",
        "What was revoked opens nothing",
        "A certificate that was revoked, has expired or was made for another use opens no association, resumed sessions included.",
        {"HIPAA": "164.312(d)", "800-53": "IA-5(2) SC-17", "1800-24": "PR.AC-1", "IHE": "ITI-19"},
        "Reporting a lost device, so that its certificate is revoked.",
    ),
    _control(
        "peer-identity",
        "An AE title belongs to its certificate",
        "A certificate opens associations under its own AE title and under no other.",
        {"HIPAA": "164.312(a)(2)(i) 164.312(d)", "800-53": "AC-3 IA-3", "1800-24": "PR.AC-6 PR.AC-7"},
    ),
    _control(
        "called-identity",
        "The archive answers to its own AE title",
        "An association that calls another AE title is rejected.",
        {"HIPAA": "164.312(d)", "800-53": "AC-3 IA-3"},
    ),
    _control(
        "peer-rights",
        "A peer has its own verbs and no others",
        "Each peer may do what was declared for it (echo, store, find, get, move, worklist, commit), and nothing else.",
        {"HIPAA": "164.312(a)(1)", "800-53": "AC-3 AC-6", "1800-24": "PR.AC-4"},
        "Deciding which device needs which verb.",
    ),
    _control(
        "exfiltration",
        "Images go to declared destinations only",
        "Nobody can have images sent to a destination that was not granted, nor receive them in another's place.",
        {"HIPAA": "164.312(a)(1) 164.312(e)(1)", "800-53": "AC-3 AC-4", "1800-24": "PR.DS-5"},
    ),
    _control(
        "instance-integrity",
        "What is stored stays as it is",
        "An object under a stored SOP instance UID does not replace it, and what is retrieved is what was stored.",
        {"HIPAA": "164.312(c)(1) 164.312(c)(2)", "800-53": "SI-7", "1800-24": "PR.DS-6"},
    ),
    # People and the web.
    _control(
        "person-authentication",
        "Nobody is served without signing in",
        "Each route over HTTPS asks for a person's own login.",
        {"HIPAA": "164.312(a)(2)(i) 164.312(d)", "800-53": "IA-2 AC-3 AC-14", "1800-24": "PR.AC-1 PR.AC-7"},
        "Naming each person, and taking out who leaves.",
    ),
    _control(
        "person-rights",
        "A role has its own routes and no others",
        "Each role may use the routes and methods that were declared for it, by no spelling and no header any others.",
        {"HIPAA": "164.312(a)(1)", "800-53": "AC-3 AC-6", "1800-24": "PR.AC-4"},
    ),
    _control(
        "web-hardening",
        "The browser's safety",
        "HTTPS from now on, no content kept by caches, no foreign origin, no malformed request passed on.",
        {"HIPAA": "164.312(a)(1) 164.312(e)(1)", "800-53": "SC-8 SI-10 SC-4"},
    ),
    _control(
        "credential-strength",
        "No default password, no guessing",
        "No known default opens anything, and wrong passwords are throttled.",
        {"HIPAA": "164.312(d)", "800-53": "IA-5 AC-7", "1800-24": "PR.AC-1"},
        "How people keep their passwords.",
    ),
    _control(
        "known-vulnerabilities",
        "No version with a known way in",
        "Each product is at or above its floor version, and options that are known to be dangerous are off.",
        {"HIPAA": "164.308(a)(1)(ii)(B)", "800-53": "RA-5 SI-2", "1800-24": "ID.RA-1 PR.IP-12"},
        "Following the vendors' notices and raising the floor.",
    ),
    _control(
        "information-leaks",
        "A stranger learns nothing",
        "Refusals and answers to the unauthenticated tell no product, no version, no name and no study.",
        {"HIPAA": "164.312(a)(1)", "800-53": "SI-11", "1800-24": "PR.DS-5"},
    ),
    _control(
        "availability",
        "Nobody can make others wait",
        "Silent, slow, malformed or many connections leave honest peers their service.",
        {"HIPAA": "164.308(a)(7)(i)", "800-53": "SC-5", "1800-24": "PR.DS-4"},
    ),
    # Containers.
    _control(
        "container-user",
        "Services do not run as root",
        "Each service runs as a user of its own.",
        {"HIPAA": "164.312(a)(1)", "800-53": "AC-6", "CIS-Docker": "4.1"},
    ),
    _control(
        "container-privileges",
        "Services have no privileges",
        "No capability, no privileged mode, no new privileges, the system calls filtered.",
        {"HIPAA": "164.312(a)(1)", "800-53": "AC-6 CM-7", "CIS-Docker": "5.4 5.5 5.22 5.26"},
    ),
    _control(
        "container-filesystem",
        "Services cannot change themselves",
        "The root is read-only and nothing of the host is mounted.",
        {"HIPAA": "164.312(c)(1)", "800-53": "CM-7 SI-7", "CIS-Docker": "5.6 5.13"},
    ),
    _control(
        "container-isolation",
        "Services do not see the host",
        "No namespace, device or engine socket of the host's is in a container.",
        {"HIPAA": "164.312(a)(1)", "800-53": "SC-39 AC-6", "CIS-Docker": "5.10 5.16 5.17 5.18 5.21 5.32"},
    ),
    _control(
        "container-resources",
        "Services have limits",
        "Memory, processors, processes and logs are limited.",
        {"HIPAA": "164.308(a)(7)(i)", "800-53": "SC-5 SC-6", "CIS-Docker": "5.11 5.12 5.29"},
    ),
    _control(
        "container-health",
        "A sick service is seen",
        "Each service has a health check, and is well.",
        {"HIPAA": "164.308(a)(7)(i)", "800-53": "SI-17 CP-10", "CIS-Docker": "4.6 5.27"},
    ),
    _control(
        "image-provenance",
        "Images are what they are said to be",
        "Images are named by digest and made of known packages.",
        {"HIPAA": "164.308(a)(5)(ii)(B)", "800-53": "SR-3 SI-7 CM-14", "CIS-Docker": "4.2 5.28"},
    ),
    # Secrets, records, copies.
    _control(
        "secret-storage",
        "Secrets are files of their owner's",
        "Keys and passwords stand in no environment, setting, image or log, and their files open to their service only.",
        {"HIPAA": "164.312(a)(2)(iv) 164.312(d)", "800-53": "IA-5 SC-28", "1800-24": "PR.DS-1", "CIS-Docker": "4.10"},
    ),
    _control(
        "state-encryption",
        "The deployment's state is encrypted",
        "Keys and passwords in the state of the deployment are encrypted with a secret that is not beside them in the clear.",
        {"HIPAA": "164.312(a)(2)(iv)", "800-53": "SC-28 SC-12", "1800-24": "PR.DS-1"},
        "Keeping the passphrase, and a copy of the state, in another place.",
    ),
    _control(
        "audit-trail",
        "Every access and every denial is recorded",
        "A record with who, when and how it ended can be found for each association and request, refused ones included.",
        {"HIPAA": "164.312(b)", "800-53": "AU-2 AU-3 AU-8 AU-12", "1800-24": "PR.PT-1 DE.CM-1", "DICOM": "A.5", "IHE": "ITI-20"},
        "Reading the records, and keeping them off the host.",
    ),
    _control(
        "audit-privacy",
        "Records hold no patient data",
        "Operating logs name peers and people, not patients.",
        {"HIPAA": "164.312(a)(1)", "800-53": "AU-3(3) SI-11"},
    ),
    _control(
        "recovery-backup",
        "There is a recent copy",
        "The newest backup is no older than declared.",
        {"HIPAA": "164.308(a)(7)(ii)(A)", "800-53": "CP-9", "1800-24": "PR.IP-4"},
    ),
    _control(
        "recovery-restore",
        "The copy can be restored",
        "A system restored from the newest backup gives back the same instances.",
        {"HIPAA": "164.308(a)(7)(ii)(B) 164.308(a)(7)(ii)(D)", "800-53": "CP-10 CP-4", "1800-24": "RC.RP-1"},
    ),
    _control(
        "data-retention",
        "Studies are not lost by a mistake",
        "The volumes of studies outlive the deployment until somebody gives them up by name.",
        {"HIPAA": "164.312(c)(1)", "800-53": "CP-9 SI-12"},
    ),
    _control(
        "encryption-at-rest",
        "Studies lie on encrypted storage",
        "The disk under the data volume is encrypted.",
        {"HIPAA": "164.312(a)(2)(iv)", "800-53": "SC-28(1)", "1800-24": "PR.DS-1"},
        "Encrypting the host's disk.",
    ),
    # Governance.
    _control(
        "waiver-governance",
        "Every exception has an owner and a last day",
        "A departure from the rules is declared with a reason, an owner and an expiry, and ends there.",
        {"HIPAA": "164.308(a)(1)(ii)(B)", "800-53": "CA-5 RA-7", "800-66": "5.1.1"},
        "Deciding that the risk is taken.",
    ),
    _control(
        "deployment-verification",
        "The deployed system is tested",
        "What the running system accepts and refuses is held against what was declared.",
        {"HIPAA": "164.308(a)(8)", "800-53": "CA-2 CA-7 CA-8", "800-66": "5.1.8", "1800-24": "DE.CM-8"},
    ),
    _control(
        "emergency-access",
        "Images can be had in an emergency",
        "There is a way to images when sign-in or network fails.",
        {"HIPAA": "164.312(a)(2)(ii)", "800-53": "CP-2"},
        "The procedure, and who may use it.",
    ),
    _control(
        "automatic-logoff",
        "A person who left is signed out",
        "A session ends after an idle time.",
        {"HIPAA": "164.312(a)(2)(iii)", "800-53": "AC-11 AC-12"},
        "Locking the workstation.",
    ),
)

CONTROLS: Final[Mapping[str, Control]] = {control.id: control for control in _CONTROLS}
