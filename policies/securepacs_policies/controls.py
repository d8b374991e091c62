"""The one catalogue of controls: what must be so, which clauses of which framework ask for it, and what is left to the clinic.

Pure data: policies prevent, the harness detects, and both name a control by its id here. A control answers a clause in part: that
every control holds does not make a clinic compliant with a framework.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from securepacs_policies.frameworks import CLAUSES, FRAMEWORKS, Clause, Framework

__all__ = ["CLAUSES", "CONTROLS", "FRAMEWORKS", "Clause", "Control", "Framework", "clauses_in_words"]


@dataclasses.dataclass(frozen=True, slots=True)
class Control:
    """What must be so. `statement` says it in one sentence; `left_to_clinic` what no tool can do, '' where nothing is."""

    id: str
    title: str
    statement: str
    clauses: tuple[Clause, ...]
    left_to_clinic: str = ""


def _control(id: str, title: str, statement: str, clauses: Mapping[str, str], left_to_clinic: str = "") -> Control:
    """Write one entry; `clauses` maps a framework to its numbers, separated by blanks. One that was not checked is a KeyError."""
    cited = tuple(CLAUSES[framework, number] for framework, numbers in clauses.items() for number in numbers.split())
    return Control(id, title, statement, cited, left_to_clinic)


_CONTROLS: Final = (
    # Network.
    _control(
        "network-exposure",
        "Only declared ports answer",
        "Nothing of the PACS answers from outside but the listeners that are declared, each on the address that is named.",
        {
            "HIPAA": "164.312(a)(1) 164.312(e)(1)", "800-53": "SC-7 SC-7(5) CM-7", "800-66": "5.3.1 5.3.5",
            "CSF": "PR.AC-5 PR.PT-3 PR.PT-4", "1800-24": "PR.AC-5", "CIS-Docker": "5.8 5.9 5.14",
        },
        "The firewall between the clinic's networks and the Internet.",
    ),
    _control(
        "network-segmentation",
        "Archive and database stand on networks of their own",
        "The archive and its database are reached through the gateway only.",
        {
            "HIPAA": "164.312(a)(1) 164.312(e)(1)", "800-53": "SC-7 SC-7(21) AC-4", "800-66": "5.3.1 5.3.5", "CSF": "PR.AC-5 PR.PT-4",
            "1800-24": "PR.AC-5", "CIS-Docker": "5.30",
        },
        "Keeping imaging devices on a network of their own.",
    ),
    _control(
        "network-egress",
        "The archive has no way out",
        "The archive can open connections to declared peers only.",
        {
            "HIPAA": "164.312(a)(1) 164.312(e)(1)", "800-53": "AC-4 SC-7 SC-7(5) SC-7(10)", "800-66": "5.3.1 5.3.5",
            "CSF": "PR.AC-5 PR.DS-5", "1800-24": "PR.AC-5",
        },
    ),
    # Transmission.
    _control(
        "transmission-encryption",
        "Images travel encrypted",
        "DICOM and the web are reached over TLS only.",
        {
            "HIPAA": "164.312(e)(1) 164.312(e)(2)(i) 164.312(e)(2)(ii)", "800-53": "SC-8 SC-8(1) SC-13", "800-66": "5.3.5",
            "CSF": "PR.DS-2 PR.PT-4", "DICOM": "B.12", "IHE": "ITI-19",
        },
        "Devices that know no TLS: a waiver, a segment of their own, their replacement.",
    ),
    _control(
        "tls-profile",
        "TLS as BCP 195 asks",
        "TLS 1.2 or later, ephemeral keys and authenticated encryption; nothing older, nothing weaker.",
        {
            "HIPAA": "164.312(e)(2)(i) 164.312(e)(2)(ii)", "800-53": "SC-8(1) SC-13", "800-66": "5.3.5", "CSF": "PR.DS-2",
            "DICOM": "B.12 B.13", "IHE": "ITI-19",
        },
    ),
    _control(
        "server-certificate",
        "The PACS proves who it is",
        "Each listener shows a certificate of the declared authority, for its own name, with a strong key and time left.",
        {
            "HIPAA": "164.312(d) 164.312(e)(1)", "800-53": "IA-3(1) IA-9 SC-12 SC-17 SC-23", "800-66": "5.3.4 5.3.5",
            "CSF": "PR.AC-7 PR.DS-2", "DICOM": "B.12", "IHE": "ITI-19",
        },
        "Where the authority's own key is kept, and who may use it.",
    ),
    # Who a peer is, and what it may do.
    _control(
        "peer-authentication",
        "A peer shows a certificate",
        "No association is made with a peer that does not prove itself by a certificate of the clinic's.",
        {
            "HIPAA": "164.312(a)(1) 164.312(d)", "800-53": "IA-3 IA-3(1) IA-5(2) SC-23", "800-66": "5.3.1 5.3.4", "CSF": "PR.AC-1 PR.AC-7",
            "DICOM": "B.12", "IHE": "ITI-19",
        },
        "Giving a device's key to that device only.",
    ),
    _control(
        "certificate-revocation",
        "What was revoked opens nothing",
        "A certificate that was revoked, has expired or was made for another use opens no association, resumed sessions included.",
        {
            "HIPAA": "164.308(a)(3)(ii)(C) 164.312(d)", "800-53": "AC-2 IA-5(2) SC-17", "800-66": "5.1.3 5.3.4", "CSF": "PR.AC-1",
            "IHE": "ITI-19",
        },
        "Reporting a lost device, so that its certificate is revoked.",
    ),
    _control(
        "peer-identity",
        "An AE title belongs to its certificate",
        "A certificate opens associations under its own AE title and under no other.",
        {
            "HIPAA": "164.312(a)(2)(i) 164.312(d)", "800-53": "AC-3 IA-2 IA-3", "800-66": "5.3.1 5.3.4", "CSF": "PR.AC-1 PR.AC-6 PR.AC-7",
            "IHE": "ITI-19",
        },
        "Giving each device an AE title of its own.",
    ),
    _control(
        "called-identity",
        "The archive answers to its own AE title",
        "An association that calls another AE title is rejected.",
        {"HIPAA": "164.312(a)(1) 164.312(d)", "800-53": "AC-3 IA-9", "800-66": "5.3.1 5.3.4", "CSF": "PR.AC-4"},
    ),
    _control(
        "peer-rights",
        "A peer has its own verbs and no others",
        "Each peer may do what was declared for it (echo, store, find, get, move, worklist, commit), and nothing else.",
        {
            "HIPAA": "164.308(a)(4)(ii)(B) 164.308(a)(4)(ii)(C) 164.312(a)(1)", "800-53": "AC-3 AC-6", "800-66": "5.1.4 5.3.1",
            "CSF": "PR.AC-4",
        },
        "Deciding which device needs which verb.",
    ),
    _control(
        "exfiltration",
        "Images go to declared destinations only",
        "Nobody can have images sent to a destination that was not granted, nor receive them in another's place.",
        {"HIPAA": "164.312(a)(1) 164.312(e)(1)", "800-53": "AC-3 AC-4 SC-7(10)", "800-66": "5.3.1 5.3.5", "CSF": "PR.AC-4 PR.DS-5"},
        "Deciding who may have images sent where.",
    ),
    _control(
        "instance-integrity",
        "What is stored stays as it is",
        "An object under a stored SOP instance UID does not replace it, and what is retrieved is what was stored.",
        {"HIPAA": "164.312(c)(1) 164.312(c)(2)", "800-53": "SI-7 SI-10", "800-66": "5.3.3", "CSF": "PR.DS-6"},
        "Correcting a wrong image by a procedure of its own.",
    ),
    # People and the web.
    _control(
        "person-authentication",
        "Nobody is served without signing in",
        "Each route over HTTPS asks for a person's own login.",
        {
            "HIPAA": "164.308(a)(3)(ii)(C) 164.312(a)(2)(i) 164.312(d)", "800-53": "AC-2 AC-14 IA-2 IA-5", "800-66": "5.1.3 5.3.1 5.3.4",
            "CSF": "PR.AC-1 PR.AC-7",
        },
        "Naming each person, and taking out who leaves.",
    ),
    _control(
        "person-rights",
        "A role has its own routes and no others",
        "Each role may use the routes and methods that were declared for it, by no spelling and no header any others.",
        {
            "HIPAA": "164.308(a)(4)(ii)(B) 164.308(a)(4)(ii)(C) 164.312(a)(1)", "800-53": "AC-3 AC-6", "800-66": "5.1.4 5.3.1",
            "CSF": "PR.AC-4",
        },
        "Deciding who has which role, and looking at it again.",
    ),
    _control(
        "web-hardening",
        "The browser's safety",
        "HTTPS from now on, no content kept by caches, no foreign origin, no malformed request passed on.",
        {"HIPAA": "164.312(a)(1) 164.312(e)(1)", "800-53": "SC-8 SC-23 SI-10", "800-66": "5.3.1 5.3.5", "CSF": "PR.DS-2 PR.DS-5"},
    ),
    _control(
        "credential-strength",
        "No default password, no guessing",
        "No known default opens anything, and wrong passwords are throttled.",
        {"HIPAA": "164.308(a)(5)(ii)(D) 164.312(d)", "800-53": "AC-7 IA-5 IA-5(1)", "800-66": "5.1.5 5.3.4", "CSF": "PR.AC-1 PR.AC-7"},
        "How people keep their passwords.",
    ),
    _control(
        "known-vulnerabilities",
        "No version with a known way in",
        "Each product is at or above its floor version, and options that are known to be dangerous are off.",
        {
            "HIPAA": "164.308(a)(1)(ii)(A) 164.308(a)(1)(ii)(B)", "800-53": "RA-5 SI-2", "800-66": "5.1.1",
            "CSF": "ID.RA-1 PR.IP-12 DE.CM-8", "CIS-Docker": "4.4",
        },
        "Following the vendors' notices and raising the floor.",
    ),
    _control(
        "information-leaks",
        "A stranger learns nothing",
        "Refusals and answers to the unauthenticated tell no product, no version, no name and no study.",
        {"HIPAA": "164.312(a)(1)", "800-53": "SI-11", "800-66": "5.3.1", "CSF": "PR.DS-5"},
    ),
    _control(
        "availability",
        "Nobody can make others wait",
        "Silent, slow, malformed or many connections leave honest peers their service.",
        {"HIPAA": "164.308(a)(7)(i)", "800-53": "SC-5 SC-6", "800-66": "5.1.7", "CSF": "PR.DS-4"},
        "Floods that no single host can stop.",
    ),
    # Containers.
    _control(
        "container-user",
        "Services do not run as root",
        "Each service runs as a user of its own.",
        {"HIPAA": "164.312(a)(1)", "800-53": "AC-6 CM-6", "800-66": "5.3.1", "CSF": "PR.AC-4", "CIS-Docker": "4.1"},
    ),
    _control(
        "container-privileges",
        "Services have no privileges",
        "No capability, no privileged mode, no new privileges, the system calls filtered.",
        {
            "HIPAA": "164.312(a)(1)", "800-53": "AC-6 CM-6 CM-7", "800-66": "5.3.1", "CSF": "PR.AC-4 PR.PT-3",
            "CIS-Docker": "5.4 5.5 5.22 5.26",
        },
    ),
    _control(
        "container-filesystem",
        "Services cannot change themselves",
        "The root is read-only and nothing of the host is mounted.",
        {
            "HIPAA": "164.312(c)(1)", "800-53": "CM-5 CM-6 SC-34 SI-7", "800-66": "5.3.3", "CSF": "PR.DS-6 PR.PT-3",
            "CIS-Docker": "5.6 5.13 5.20",
        },
    ),
    _control(
        "container-isolation",
        "Services do not see the host",
        "No namespace, device or engine socket of the host's is in a container.",
        {
            "HIPAA": "164.312(a)(1)", "800-53": "AC-6 SC-4 SC-7(21) SC-39", "800-66": "5.3.1", "CSF": "PR.PT-3",
            "CIS-Docker": "5.10 5.16 5.17 5.18 5.21 5.31 5.32",
        },
        "Keeping the host itself updated, and its engine out of reach.",
    ),
    _control(
        "container-resources",
        "Services have limits",
        "Memory, processors, processes and logs are limited.",
        {"HIPAA": "164.308(a)(7)(i)", "800-53": "SC-5 SC-6", "800-66": "5.1.7", "CSF": "PR.DS-4", "CIS-Docker": "5.11 5.12 5.29"},
        "A host that is large enough for the clinic's load.",
    ),
    _control(
        "container-health",
        "A sick service is seen",
        "Each service has a health check, and is well.",
        {"HIPAA": "164.308(a)(7)(i)", "800-53": "SI-4", "800-66": "5.1.7", "CIS-Docker": "4.6 5.27"},
        "Somebody who is told when a service is not well.",
    ),
    _control(
        "image-provenance",
        "Images are what they are said to be",
        "Images are named by digest and made of known packages.",
        {
            "HIPAA": "164.308(a)(5)(ii)(B) 164.312(c)(1)", "800-53": "SI-7 SR-4 SR-11", "800-66": "5.1.5 5.3.3", "CSF": "PR.DS-6",
            "CIS-Docker": "4.2 4.11",
        },
    ),
    # Secrets, records, copies.
    _control(
        "secret-storage",
        "Secrets are files of their owner's",
        "Keys and passwords stand in no environment, setting, image or log, and their files open to their service only.",
        {
            "HIPAA": "164.308(a)(5)(ii)(D) 164.312(a)(1) 164.312(d)", "800-53": "IA-5 IA-5(7) SC-12 SC-28", "800-66": "5.1.5 5.3.1 5.3.4",
            "CSF": "PR.AC-1 PR.DS-1", "CIS-Docker": "4.10",
        },
        "The copies that people and devices hold.",
    ),
    _control(
        "state-encryption",
        "The deployment's state is encrypted",
        "Keys and passwords in the state of the deployment are encrypted with a secret that is not beside them in the clear.",
        {"HIPAA": "164.312(a)(2)(iv)", "800-53": "SC-12 SC-28 SC-28(1)", "800-66": "5.3.1", "CSF": "PR.DS-1"},
        "Keeping the passphrase, and a copy of the state, in another place.",
    ),
    _control(
        "audit-trail",
        "Every access and every denial is recorded",
        "A record with who, when and how it ended can be found for each association and request, refused ones included.",
        {
            "HIPAA": "164.308(a)(1)(ii)(D) 164.308(a)(5)(ii)(C) 164.312(b)", "800-53": "AU-2 AU-3 AU-8 AU-12",
            "800-66": "5.1.1 5.1.5 5.3.2", "CSF": "PR.PT-1 DE.CM-1", "DICOM": "A.5", "IHE": "ITI-20",
        },
        "Reading the records, and keeping them off the host.",
    ),
    _control(
        "audit-privacy",
        "Records hold no patient data",
        "Operating logs name peers and people, not patients.",
        {"HIPAA": "164.312(a)(1) 164.312(b)", "800-53": "AU-3(3) SI-12(1)", "800-66": "5.3.1 5.3.2", "CSF": "PR.DS-5"},
        "Deciding who may read the records.",
    ),
    _control(
        "recovery-backup",
        "There is a recent copy",
        "The newest backup is no older than declared.",
        {"HIPAA": "164.308(a)(7)(ii)(A)", "800-53": "CP-9", "800-66": "5.1.7", "CSF": "PR.IP-4"},
        "A copy where fire and intruders do not come, and where nobody else reads it.",
    ),
    _control(
        "recovery-restore",
        "The copy can be restored",
        "A system restored from the newest backup gives back the same instances.",
        {
            "HIPAA": "164.308(a)(7)(ii)(B) 164.308(a)(7)(ii)(D)", "800-53": "CP-4 CP-9(1) CP-10", "800-66": "5.1.7",
            "CSF": "PR.IP-4 RC.RP-1", "1800-24": "RC.RP-1",
        },
        "Practising it with those who would have to do it.",
    ),
    _control(
        "data-retention",
        "Studies are not lost by a mistake",
        "The volumes of studies outlive the deployment until somebody gives them up by name.",
        {"HIPAA": "164.312(c)(1)", "800-53": "SI-12", "800-66": "5.3.3", "CSF": "PR.DS-1"},
        "How long studies are kept, and when they may be removed.",
    ),
    _control(
        "encryption-at-rest",
        "Studies lie on encrypted storage",
        "The disk under the data volume is encrypted.",
        {"HIPAA": "164.312(a)(2)(iv)", "800-53": "SC-28 SC-28(1)", "800-66": "5.3.1", "CSF": "PR.DS-1"},
        "Encrypting the host's disk.",
    ),
    # Governance.
    _control(
        "waiver-governance",
        "Every exception has an owner and a last day",
        "A departure from the rules is declared with a reason, an owner and an expiry, and ends there.",
        {"HIPAA": "164.308(a)(1)(ii)(A) 164.308(a)(1)(ii)(B)", "800-53": "CA-5 RA-7", "800-66": "5.1.1", "CSF": "ID.RA-6"},
        "Deciding that the risk is taken.",
    ),
    _control(
        "deployment-verification",
        "The deployed system is tested",
        "What the running system accepts and refuses is held against what was declared.",
        {"HIPAA": "164.308(a)(8)", "800-53": "CA-2 CA-7 CA-8", "800-66": "5.1.8", "CSF": "DE.CM-8"},
        "Evaluating policies and procedures, which no check sees.",
    ),
    _control(
        "emergency-access",
        "Images can be had in an emergency",
        "There is a way to images when sign-in or network fails.",
        {"HIPAA": "164.308(a)(7)(ii)(C) 164.312(a)(2)(ii)", "800-53": "CP-2", "800-66": "5.1.7 5.3.1"},
        "The procedure, and who may use it.",
    ),
    _control(
        "automatic-logoff",
        "A person who left is signed out",
        "A session ends after an idle time.",
        {"HIPAA": "164.312(a)(2)(iii)", "800-53": "AC-2(5) AC-12 SC-10", "800-66": "5.3.1"},
        "Locking the workstation.",
    ),
)

CONTROLS: Final[Mapping[str, Control]] = MappingProxyType({control.id: control for control in _CONTROLS})


def clauses_in_words(controls: Iterable[str], frameworks: Iterable[str] = tuple(FRAMEWORKS)) -> str:
    """Name the clauses that some controls answer, by framework: 'HIPAA 164.312(b); 800-53 AU-2, AU-3'."""
    cited = dict.fromkeys(clause for control in controls for clause in CONTROLS[control].clauses)
    by_framework = ((name, [clause.number for clause in cited if clause.framework == name]) for name in frameworks)
    return "; ".join(f"{name} {', '.join(numbers)}" for name, numbers in by_framework if numbers)
