"""The catalogue of controls: what must be so of a PACS, which clauses that answers, and what no tool can do for the clinic.

This is data, and imports nothing but the standard library: the harness names its checks by these ids. A control answers a clause in
part; that every control holds does not make a clinic compliant with a publication.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from securepacs_policies.frameworks import CLAUSES, FRAMEWORKS, Clause, Framework

__all__ = ["CLAUSES", "CONTROLS", "FRAMEWORKS", "Clause", "Control", "Framework"]


@dataclass(frozen=True)
class Control:
    """One control.

    `statement` is one sentence: what is so where the control holds. `left_to_clinic` is one sentence: what no tool can do, or "".
    `clauses` are in the order of `FRAMEWORKS`, each framework's as the table has them.
    """

    id: str
    title: str
    statement: str
    clauses: tuple[Clause, ...]
    left_to_clinic: str = ""


def _control(id: str, title: str, statement: str, left_to_clinic: str = "", **cited: str) -> Control:  # a row's first column
    """Make one row; `cited` has, by framework (an underscore for its hyphen), the numbers of clauses, a space between two."""
    numbers = {framework.replace("_", "-"): numbers.split() for framework, numbers in cited.items()}
    unknown = numbers.keys() - FRAMEWORKS.keys()
    if unknown:
        raise KeyError(*sorted(unknown))
    clauses = tuple(CLAUSES[framework, number] for framework in FRAMEWORKS for number in numbers.get(framework, ()))
    return Control(id, title, statement, clauses, left_to_clinic)


_TABLE = (
    # ---- network
    _control(
        "network-exposure",
        "Only declared ports are reachable",
        "From outside, the ports that answer are those that the clinic declares, on the addresses that it declares, and no others.",
        "Decide which networks may reach those addresses at all, and keep the firewall between them.",
        hipaa="164.312(a)(1) 164.312(e)(1)", sp800_53="SC-7 SC-7(5) CM-7", sp800_66="5.3.1 5.3.5", csf="PR.AC-5 PR.PT-3 PR.PT-4",
        sp1800_24="PR.AC-5", cis_docker="5.8 5.9 5.14",
    ),
    _control(
        "network-segmentation",
        "Only the gateway stands on the edge",
        "Archive and database are on inner networks that have no address on the host, and are reached through the gateway alone.",
        "Keep imaging devices on a network of their own.",
        hipaa="164.312(a)(1) 164.312(e)(1)", sp800_53="SC-7 AC-4", sp800_66="5.3.1 5.3.5", csf="PR.AC-5 PR.PT-4", sp1800_24="PR.AC-5",
        cis_docker="5.9 5.10 5.30",
    ),
    _control(
        "network-egress",
        "The archive calls nobody but declared peers",
        "From the archive and the database no connection leaves, but to the declared addresses of peers, through the gateway.",
        hipaa="164.312(a)(1) 164.312(e)(1)", sp800_53="AC-4 SC-7 SC-7(5)", sp800_66="5.3.1 5.3.5", csf="PR.AC-5 PR.DS-5",
        sp1800_24="PR.AC-5",
    ),
    # ---- transport
    _control(
        "transmission-encryption",
        "Images and passwords travel encrypted",
        "Each port that carries DICOM or HTTP speaks TLS from the first byte and answers no plain request, except for a waiver in force.",
        "Replace or isolate devices that cannot use TLS.",
        hipaa="164.312(e)(1) 164.312(e)(2)(i) 164.312(e)(2)(ii)", sp800_53="SC-8 SC-8(1) SC-13", sp800_66="5.3.5", csf="PR.DS-2 PR.PT-4",
        dicom="B.12", ihe_atna="ITI-19",
    ),
    _control(
        "tls-profile",
        "TLS is of today's profile",
        "Handshakes succeed with TLS 1.2 or 1.3, ephemeral key exchange and authenticated encryption, and with nothing weaker.",
        hipaa="164.312(e)(2)(i) 164.312(e)(2)(ii)", sp800_53="SC-8(1) SC-13", sp800_66="5.3.5", csf="PR.DS-2", dicom="B.12 B.13",
        ihe_atna="ITI-19",
    ),
    _control(
        "server-certificate",
        "The archive proves who it is",
        "The certificate shown is of the clinic's authority, names the address that was called, is in its time, and has a strong key.",
        "Bring the authority's certificate to each device by a way that can be trusted, and renew in time.",
        hipaa="164.312(d) 164.312(e)(1)", sp800_53="IA-3(1) IA-9 SC-12 SC-17 SC-23", sp800_66="5.3.4 5.3.5", csf="PR.AC-7 PR.DS-2",
        dicom="B.12", ihe_atna="ITI-19",
    ),
    # ---- peers
    _control(
        "peer-authentication",
        "A peer without a valid certificate is refused",
        "A DICOM association begins only after a handshake with a client certificate that the clinic's authority, or the declared "
        "fingerprint, vouches for, that is in its time, and that is for client authentication.",
        "Give a device's key to that device only, and report a lost device.",
        hipaa="164.312(a)(1) 164.312(d)", sp800_53="IA-3 IA-3(1) IA-5(2) SC-23", sp800_66="5.3.1 5.3.4", csf="PR.AC-1 PR.AC-7",
        dicom="B.12", ihe_atna="ITI-19",
    ),
    _control(
        "certificate-revocation",
        "A revoked certificate is refused",
        "A certificate on the revocation list is refused, in new connections and in resumed sessions, and the list is in its time.",
        "Revoke at once what was lost, and what belongs to a device that was taken out.",
        hipaa="164.308(a)(3)(ii)(C) 164.312(d)", sp800_53="IA-5(2) SC-17 AC-2", sp800_66="5.3.4", csf="PR.AC-1", ihe_atna="ITI-19",
    ),
    _control(
        "peer-identity",
        "A certificate speaks for one AE title",
        "A calling AE title is accepted, in its exact bytes, only with the certificate of the peer that it names.",
        "Give each device an AE title of its own.",
        hipaa="164.312(a)(2)(i) 164.312(d)", sp800_53="IA-2 IA-3 AC-3", sp800_66="5.3.1 5.3.4", csf="PR.AC-1 PR.AC-6 PR.AC-7",
        ihe_atna="ITI-19",
    ),
    _control(
        "called-identity",
        "A call to another AE title is refused",
        "An association whose called AE title is not the archive's own, in its exact bytes, is refused.",
        hipaa="164.312(a)(1) 164.312(d)", sp800_53="AC-3 IA-9", sp800_66="5.3.1 5.3.4", csf="PR.AC-4",
    ),
    _control(
        "peer-rights",
        "A peer may do what is written down for it",
        "Each peer can use the DICOM services that are declared for it, and every other service is refused.",
        "Decide which device needs which service, and look at it again each year.",
        hipaa="164.308(a)(4)(ii)(B) 164.308(a)(4)(ii)(C) 164.312(a)(1)", sp800_53="AC-3 AC-6", sp800_66="5.1.4 5.3.1", csf="PR.AC-4",
    ),
    _control(
        "exfiltration",
        "Images go only where they may",
        "A peer can have images sent to the destinations that are declared for it; for any other the archive opens no connection.",
        hipaa="164.312(a)(1) 164.312(e)(1)", sp800_53="AC-3 AC-4", sp800_66="5.3.1 5.3.5", csf="PR.AC-4 PR.AC-5 PR.DS-5",
    ),
    _control(
        "instance-integrity",
        "A stored image keeps its content",
        "A second object under a SOP instance UID that is stored does not change what is stored, whichever way it comes.",
        "Correct wrong images by the clinic's own procedure.",
        hipaa="164.312(c)(1) 164.312(c)(2)", sp800_53="SI-7 SI-10", sp800_66="5.3.3", csf="PR.DS-6",
    ),
    # ---- persons
    _control(
        "person-authentication",
        "A person logs in, or sees nothing",
        "Each route over HTTPS refuses a request without the name and password of a declared person.",
        "Give each person a name of their own, and take it away when they leave.",
        hipaa="164.308(a)(3)(ii)(C) 164.312(a)(2)(i) 164.312(d)", sp800_53="AC-2 IA-2 IA-5", sp800_66="5.3.1 5.3.4", csf="PR.AC-1 PR.AC-7",
    ),
    _control(
        "person-rights",
        "A person may do what the role may",
        "Each role can use the routes and methods that are declared for it, however the request is written, and no others.",
        "Decide who has which role, and look at it again each year.",
        hipaa="164.308(a)(4)(ii)(B) 164.308(a)(4)(ii)(C) 164.312(a)(1)", sp800_53="AC-3 AC-6", sp800_66="5.1.4 5.3.1", csf="PR.AC-4",
    ),
    _control(
        "web-hardening",
        "The web side gives nothing to a foreign page",
        "Answers carry the headers that keep browsers on TLS and off foreign pages, and a request's own headers lend it no rights.",
        hipaa="164.312(a)(1) 164.312(e)(1)", sp800_53="SC-8 SC-18 SC-23 SI-10", sp800_66="5.3.1 5.3.5", csf="PR.DS-2",
    ),
    _control(
        "credential-strength",
        "Passwords are not default and cannot be guessed",
        "No known default password works, guessing is slowed down, and no two clinics share a secret.",
        "Tell persons how to keep a password, and change it when it became known.",
        hipaa="164.308(a)(5)(ii)(C) 164.308(a)(5)(ii)(D) 164.312(d)", sp800_53="AC-7 IA-5 IA-5(1)", sp800_66="5.1.5 5.3.4",
        csf="PR.AC-1 PR.AC-7",
    ),
    _control(
        "emergency-access",
        "Images can be reached in an emergency",
        "There is a declared way to the images for when the usual one fails; it needs credentials too, and its use is recorded.",
        "Write the procedure, say who may use it, keep its credentials sealed, and practise it.",
        hipaa="164.308(a)(7)(ii)(C) 164.312(a)(2)(ii)", sp800_53="AC-2 AC-3 CP-2", sp800_66="5.1.7 5.3.1",
    ),
    _control(
        "automatic-logoff",
        "An idle session ends",
        "An association or a web session on which nothing happens for the declared time is ended by the server.",
        "Lock workstations that nobody sits at.",
        hipaa="164.312(a)(2)(iii)", sp800_53="AC-2(5) AC-12", sp800_66="5.3.1",
    ),
    # ---- software
    _control(
        "known-vulnerabilities",
        "Known vulnerabilities are mended",
        "No component is of a version, or so configured, that a published vulnerability of it can be used.",
        "Renew images when advisories come, and decide about what has no correction yet.",
        hipaa="164.308(a)(1)(ii)(A) 164.308(a)(1)(ii)(B) 164.308(a)(5)(ii)(B)", sp800_53="RA-5 SI-2", sp800_66="5.1.1 5.1.5",
        csf="ID.RA-1 DE.CM-8", cis_docker="4.4",
    ),
    _control(
        "information-leaks",
        "Refusals tell a stranger nothing",
        "Banners, error pages and rejections say neither versions nor paths, nor whether a name is known.",
        hipaa="164.312(a)(1)", sp800_53="SI-11", sp800_66="5.3.1", csf="PR.DS-5",
    ),
    _control(
        "availability",
        "One bad client does not stop the others",
        "While a client is silent, slow, malformed or too many, an honest client is served within the declared time.",
        "Watch the network for floods that no single host can stop.",
        hipaa="164.308(a)(7)(ii)(C)", sp800_53="SC-5 SC-6", sp800_66="5.1.7", csf="PR.DS-4",
    ),
    # ---- containers
    _control(
        "container-user",
        "No service runs as root",
        "The processes of each container run as a user that is not root, and can gain no further privileges.",
        hipaa="164.312(a)(1)", sp800_53="AC-6 CM-6", sp800_66="5.3.1", csf="PR.AC-4", cis_docker="4.1 4.8 5.26",
    ),
    _control(
        "container-privileges",
        "No container has rights that it does not need",
        "No container is privileged or has a device of the host, all capabilities are dropped, and the system call filter is on.",
        hipaa="164.312(a)(1)", sp800_53="AC-6 CM-6 CM-7", sp800_66="5.3.1", csf="PR.AC-4 PR.PT-3", cis_docker="5.4 5.5 5.18 5.22 5.26",
    ),
    _control(
        "container-filesystem",
        "A container cannot change its own software",
        "The root file system of each container is read-only; what must be written goes to declared volumes and memory.",
        hipaa="164.312(c)(1)", sp800_53="CM-5 CM-6 SI-7", sp800_66="5.3.3", csf="PR.DS-6 PR.PT-3", cis_docker="5.13",
    ),
    _control(
        "container-isolation",
        "A container sees nothing of the host",
        "No container shares a namespace of the host, or mounts a folder of the host or the engine's socket.",
        "Keep the host itself updated, and its engine out of reach.",
        hipaa="164.312(a)(1)", sp800_53="SC-4 SC-7 SC-39 AC-6", sp800_66="5.3.1", csf="PR.AC-5 PR.PT-3",
        cis_docker="5.6 5.10 5.16 5.17 5.20 5.21 5.31 5.32",
    ),
    _control(
        "container-resources",
        "A container cannot use up the host",
        "Each container has a limit of memory, of processor time and of processes.",
        "Give the host enough for the clinic's load.",
        hipaa="164.308(a)(7)(ii)(C)", sp800_53="SC-5 SC-6", sp800_66="5.1.7", csf="PR.DS-4", cis_docker="5.11 5.12 5.29",
    ),
    _control(
        "container-health",
        "A sick service is noticed",
        "Each container has a health check that asks the service itself, and the engine reports it healthy.",
        "Have somebody told when a service is not healthy.",
        hipaa="164.308(a)(1)(ii)(D)", sp800_53="CA-7 SI-4", sp800_66="5.1.1", cis_docker="4.6 5.27",
    ),
    _control(
        "image-provenance",
        "It is known what runs",
        "Each container runs an image that is pinned by digest, and that was made from declared, verified packages.",
        hipaa="164.308(a)(5)(ii)(B) 164.312(c)(1)", sp800_53="CM-7 SI-7 SR-4 SR-11", sp800_66="5.1.5 5.3.3", csf="PR.DS-6",
        cis_docker="4.2 4.3 4.11",
    ),
    # ---- secrets
    _control(
        "secret-storage",
        "Secrets are where only their service reads them",
        "No key or password is in an image, an environment, an argument list, a label or a log; its file is its service's own.",
        "Keep the copies that persons and devices hold as carefully.",
        hipaa="164.308(a)(5)(ii)(D) 164.312(a)(1) 164.312(d)", sp800_53="IA-5 IA-5(7) SC-12 SC-28", sp800_66="5.1.5 5.3.1 5.3.4",
        csf="PR.AC-1 PR.DS-1", cis_docker="4.10",
    ),
    _control(
        "state-encryption",
        "Secrets in the state are encrypted",
        "Each secret in the deployment's state is encrypted, under a passphrase or key that is not empty and not stored beside it.",
        "Keep the passphrase where the state is not, and so that more than one person can find it.",
        hipaa="164.312(a)(2)(iv)", sp800_53="SC-12 SC-28 SC-28(1)", sp800_66="5.3.1", csf="PR.DS-1",
    ),
    _control(
        "encryption-at-rest",
        "Stored images are encrypted",
        "What is written to the storage of images and of the index is encrypted there, under a key that is not on the same disk.",
        "Encrypt the host's disks, keep the key, and destroy disks that are taken out.",
        hipaa="164.312(a)(2)(iv)", sp800_53="MP-6 SC-28 SC-28(1)", sp800_66="5.3.1", csf="PR.DS-1",
    ),
    # ---- audit
    _control(
        "audit-trail",
        "Who did what is recorded",
        "Each access and each refusal leaves a record with who, what, when, from where and with what outcome, out of reach of its author.",
        "Read the records, and keep them as long as the law asks.",
        hipaa="164.308(a)(1)(ii)(D) 164.308(a)(5)(ii)(C) 164.312(b)", sp800_53="AU-2 AU-3 AU-6 AU-8 AU-9 AU-12",
        sp800_66="5.1.1 5.1.5 5.3.2", csf="PR.PT-1", dicom="A.5", ihe_atna="ITI-20",
    ),
    _control(
        "audit-privacy",
        "Records tell no more of a patient than they must",
        "Logs hold neither image data nor passwords, and of a patient no more than the identifiers that the declared format asks for.",
        "Decide who may read the records.",
        hipaa="164.312(a)(1) 164.312(b)", sp800_53="AU-3(3) AU-9", sp800_66="5.3.1 5.3.2", dicom="A.5",
    ),
    # ---- recovery
    _control(
        "recovery-backup",
        "There is a recent, encrypted copy",
        "A copy of images, index and state that is not older than declared is kept apart from the archive, encrypted.",
        "Keep one copy where a fire or an intruder cannot reach it.",
        hipaa="164.308(a)(7)(ii)(A)", sp800_53="CP-9 CP-9(8)", sp800_66="5.1.7", csf="PR.IP-4",
    ),
    _control(
        "recovery-restore",
        "The copy can be restored",
        "A restore into an empty archive gives every SOP instance of the copy, with the same content, within the declared time.",
        "Practise it with the persons who would have to do it.",
        hipaa="164.308(a)(7)(ii)(B) 164.308(a)(7)(ii)(D)", sp800_53="CP-4 CP-9(1) CP-10", sp800_66="5.1.7", csf="PR.IP-4 RC.RP-1",
        sp1800_24="RC.RP-1",
    ),
    _control(
        "data-retention",
        "Images outlive the deployment",
        "Taking down, replacing or upgrading the deployment removes no image; an image goes only where a person with the right removes it.",
        "Say how long images are kept, and when they may be removed.",
        hipaa="164.308(a)(7)(ii)(A) 164.312(c)(1)", sp800_53="CP-9 SI-12", sp800_66="5.1.7 5.3.3",
    ),
    # ---- governance
    _control(
        "waiver-governance",
        "An exception has a reason and an end",
        "Each exception from a control is declared with its reason and its expiry, is in force only until then, and shows in the evidence.",
        "Have somebody who may accept the risk decide about each exception.",
        hipaa="164.308(a)(1)(ii)(A) 164.308(a)(1)(ii)(B)", sp800_53="CA-5 RA-7", sp800_66="5.1.1", csf="ID.RA-6",
    ),
    _control(
        "deployment-verification",
        "What is deployed is tested",
        "The running archive is attacked by these checks, before use and after each change, and the evidence is kept.",
        "Evaluate the policies and procedures too, which no check can see.",
        hipaa="164.308(a)(8)", sp800_53="CA-2 CA-7 CA-8", sp800_66="5.1.8", csf="DE.CM-8",
    ),
)

CONTROLS: Mapping[str, Control] = MappingProxyType({control.id: control for control in _TABLE})
