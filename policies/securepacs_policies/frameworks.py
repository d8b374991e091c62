"""The frameworks that controls answer to, with the edition that is cited, and the clauses of each that controls cite.

A title is the publication's own heading, shortened where it is a whole sentence. A clause stands here once, and no control can cite
a clause that does not stand here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Framework:
    """A source of clauses, in the edition that is cited. Each number matches the regular expression `form` as a whole."""

    id: str
    title: str
    edition: str
    form: str


@dataclass(frozen=True, slots=True)
class Clause:
    """One numbered clause of a framework; `framework` is the id of a row of `FRAMEWORKS`."""

    framework: str
    number: str
    title: str

    def __str__(self) -> str:
        return f"{self.framework} {self.number}"


_FRAMEWORKS = (
    Framework(
        "HIPAA",
        "HIPAA Security Rule, 45 CFR Part 164 Subpart C",
        "45 CFR as amended at 78 FR 5566 (25 January 2013)",
        r"164\.3(08|12)\([a-e]\)(\(\d\))?(\((i|ii|iii|iv)\))?(\([A-F]\))?",
    ),
    Framework(
        "800-53",
        "NIST SP 800-53, Security and Privacy Controls for Information Systems and Organizations",
        "Revision 5, release 5.2.0 (August 2025)",
        r"[A-Z]{2}-\d{1,2}(\(\d{1,2}\))?",
    ),
    Framework(
        "800-66",
        "NIST SP 800-66, Implementing the HIPAA Security Rule: A Cybersecurity Resource Guide",
        "Revision 2 (February 2024)",
        r"5\.[1-3]\.\d",
    ),
    Framework(
        "CSF",
        "NIST Framework for Improving Critical Infrastructure Cybersecurity",
        "1.1 (April 2018)",
        r"(ID|PR|DE|RS|RC)\.[A-Z]{2}-[1-9]\d?",
    ),
    Framework(
        "1800-24",
        "NIST SP 1800-24, Securing Picture Archiving and Communication System (PACS)",
        "Final (December 2020), by subcategory of the Cybersecurity Framework 1.1",
        r"(ID|PR|DE|RS|RC)\.[A-Z]{2}-[1-9]\d?",
    ),
    Framework("CIS-Docker", "CIS Docker Benchmark", "1.6.0", r"[1-7]\.\d{1,2}"),
    Framework("DICOM", "DICOM PS3.15, Security and System Management Profiles", "2024e", r"[A-H]\.\d{1,2}(\.\d{1,2})*"),
    Framework(
        "IHE",
        "IHE IT Infrastructure Technical Framework, Audit Trail and Node Authentication (ATNA)",
        "Final Text, Volume 2, sections 3.19 and 3.20",
        r"ITI-\d{1,3}",
    ),
)

FRAMEWORKS: Mapping[str, Framework] = MappingProxyType({framework.id: framework for framework in _FRAMEWORKS})

_TITLES: Mapping[str, Mapping[str, str]] = {
    "HIPAA": {
        "164.308(a)(1)(ii)(A)": "Risk analysis",
        "164.308(a)(1)(ii)(B)": "Risk management",
        "164.308(a)(1)(ii)(D)": "Information system activity review",
        "164.308(a)(3)(ii)(C)": "Termination procedures",
        "164.308(a)(4)(ii)(B)": "Access authorization",
        "164.308(a)(4)(ii)(C)": "Access establishment and modification",
        "164.308(a)(5)(ii)(B)": "Protection from malicious software",
        "164.308(a)(5)(ii)(C)": "Log-in monitoring",
        "164.308(a)(5)(ii)(D)": "Password management",
        "164.308(a)(7)(i)": "Contingency plan",
        "164.308(a)(7)(ii)(A)": "Data backup plan",
        "164.308(a)(7)(ii)(B)": "Disaster recovery plan",
        "164.308(a)(7)(ii)(C)": "Emergency mode operation plan",
        "164.308(a)(7)(ii)(D)": "Testing and revision procedures",
        "164.308(a)(8)": "Evaluation",
        "164.312(a)(1)": "Access control",
        "164.312(a)(2)(i)": "Unique user identification",
        "164.312(a)(2)(ii)": "Emergency access procedure",
        "164.312(a)(2)(iii)": "Automatic logoff",
        "164.312(a)(2)(iv)": "Encryption and decryption",
        "164.312(b)": "Audit controls",
        "164.312(c)(1)": "Integrity",
        "164.312(c)(2)": "Mechanism to authenticate electronic protected health information",
        "164.312(d)": "Person or entity authentication",
        "164.312(e)(1)": "Transmission security",
        "164.312(e)(2)(i)": "Integrity controls",
        "164.312(e)(2)(ii)": "Encryption",
    },
    "800-53": {
        "AC-2": "Account Management",
        "AC-2(5)": "Inactivity Logout",
        "AC-3": "Access Enforcement",
        "AC-4": "Information Flow Enforcement",
        "AC-6": "Least Privilege",
        "AC-7": "Unsuccessful Logon Attempts",
        "AC-12": "Session Termination",
        "AC-14": "Permitted Actions Without Identification or Authentication",
        "AU-2": "Event Logging",
        "AU-3": "Content of Audit Records",
        "AU-3(3)": "Limit Personally Identifiable Information Elements",
        "AU-8": "Time Stamps",
        "AU-12": "Audit Record Generation",
        "CA-2": "Control Assessments",
        "CA-5": "Plan of Action and Milestones",
        "CA-7": "Continuous Monitoring",
        "CA-8": "Penetration Testing",
        "CM-5": "Access Restrictions for Change",
        "CM-6": "Configuration Settings",
        "CM-7": "Least Functionality",
        "CP-2": "Contingency Plan",
        "CP-4": "Contingency Plan Testing",
        "CP-9": "System Backup",
        "CP-9(1)": "Testing for Reliability and Integrity",
        "CP-10": "System Recovery and Reconstitution",
        "IA-2": "Identification and Authentication (Organizational Users)",
        "IA-3": "Device Identification and Authentication",
        "IA-3(1)": "Cryptographic Bidirectional Authentication",
        "IA-5": "Authenticator Management",
        "IA-5(1)": "Password-based Authentication",
        "IA-5(2)": "Public Key-based Authentication",
        "IA-5(7)": "No Embedded Unencrypted Static Authenticators",
        "IA-9": "Service Identification and Authentication",
        "RA-5": "Vulnerability Monitoring and Scanning",
        "RA-7": "Risk Response",
        "SC-4": "Information in Shared System Resources",
        "SC-5": "Denial-of-service Protection",
        "SC-6": "Resource Availability",
        "SC-7": "Boundary Protection",
        "SC-7(5)": "Deny by Default — Allow by Exception",
        "SC-7(10)": "Prevent Exfiltration",
        "SC-7(21)": "Isolation of System Components",
        "SC-8": "Transmission Confidentiality and Integrity",
        "SC-8(1)": "Cryptographic Protection",
        "SC-10": "Network Disconnect",
        "SC-12": "Cryptographic Key Establishment and Management",
        "SC-13": "Cryptographic Protection",
        "SC-17": "Public Key Infrastructure Certificates",
        "SC-23": "Session Authenticity",
        "SC-28": "Protection of Information at Rest",
        "SC-28(1)": "Cryptographic Protection",
        "SC-34": "Non-modifiable Executable Programs",
        "SC-39": "Process Isolation",
        "SI-2": "Flaw Remediation",
        "SI-4": "System Monitoring",
        "SI-7": "Software, Firmware, and Information Integrity",
        "SI-10": "Information Input Validation",
        "SI-11": "Error Handling",
        "SI-12": "Information Management and Retention",
        "SI-12(1)": "Limit Personally Identifiable Information Elements",
        "SR-4": "Provenance",
        "SR-11": "Component Authenticity",
    },
    "800-66": {
        "5.1.1": "Security Management Process",
        "5.1.3": "Workforce Security",
        "5.1.4": "Information Access Management",
        "5.1.5": "Security Awareness and Training",
        "5.1.7": "Contingency Plan",
        "5.1.8": "Evaluation",
        "5.3.1": "Access Control",
        "5.3.2": "Audit Controls",
        "5.3.3": "Integrity",
        "5.3.4": "Person or Entity Authentication",
        "5.3.5": "Transmission Security",
    },
    "CSF": {
        "ID.RA-1": "Asset vulnerabilities are identified and documented",
        "ID.RA-6": "Risk responses are identified and prioritized",
        "PR.AC-1": "Identities and credentials are issued, managed, verified, revoked, and audited",
        "PR.AC-4": "Access permissions and authorizations are managed, with least privilege",
        "PR.AC-5": "Network integrity is protected (e.g., network segregation, network segmentation)",
        "PR.AC-6": "Identities are proofed and bound to credentials and asserted in interactions",
        "PR.AC-7": "Users, devices, and other assets are authenticated",
        "PR.DS-1": "Data-at-rest is protected",
        "PR.DS-2": "Data-in-transit is protected",
        "PR.DS-4": "Adequate capacity to ensure availability is maintained",
        "PR.DS-5": "Protections against data leaks are implemented",
        "PR.DS-6": "Integrity checking mechanisms verify software, firmware, and information integrity",
        "PR.IP-4": "Backups of information are conducted, maintained, and tested",
        "PR.IP-12": "A vulnerability management plan is developed and implemented",
        "PR.PT-1": "Audit/log records are determined, documented, implemented, and reviewed",
        "PR.PT-3": "The principle of least functionality is incorporated",
        "PR.PT-4": "Communications and control networks are protected",
        "DE.CM-1": "The network is monitored to detect potential cybersecurity events",
        "DE.CM-8": "Vulnerability scans are performed",
        "RC.RP-1": "Recovery plan is executed during or after a cybersecurity incident",
    },
    "1800-24": {
        "PR.AC-5": "Network integrity is protected (e.g., network segregation, network segmentation)",
        "RC.RP-1": "Recovery plan is executed during or after a cybersecurity incident",
    },
    "CIS-Docker": {
        "4.1": "Ensure that a user for the container has been created",
        "4.2": "Ensure that containers use only trusted base images",
        "4.4": "Ensure images are scanned and rebuilt to include security patches",
        "4.6": "Ensure that HEALTHCHECK instructions have been added to container images",
        "4.10": "Ensure secrets are not stored in Dockerfiles",
        "4.11": "Ensure only verified packages are installed",
        "5.4": "Ensure that Linux kernel capabilities are restricted within containers",
        "5.5": "Ensure that privileged containers are not used",
        "5.6": "Ensure sensitive host system directories are not mounted on containers",
        "5.8": "Ensure privileged ports are not mapped within containers",
        "5.9": "Ensure that only needed ports are open on the container",
        "5.10": "Ensure that the host's network namespace is not shared",
        "5.11": "Ensure that the memory usage for containers is limited",
        "5.12": "Ensure that CPU priority is set appropriately on containers",
        "5.13": "Ensure that the container's root filesystem is mounted as read only",
        "5.14": "Ensure that incoming container traffic is bound to a specific host interface",
        "5.16": "Ensure that the host's process namespace is not shared",
        "5.17": "Ensure that the host's IPC namespace is not shared",
        "5.18": "Ensure that host devices are not directly exposed to containers",
        "5.20": "Ensure mount propagation mode is not set to shared",
        "5.21": "Ensure that the host's UTS namespace is not shared",
        "5.22": "Ensure the default seccomp profile is not Disabled",
        "5.26": "Ensure that the container is restricted from acquiring additional privileges",
        "5.27": "Ensure that container health is checked at runtime",
        "5.29": "Ensure that the PIDs cgroup limit is used",
        "5.30": "Ensure that Docker's default bridge 'docker0' is not used",
        "5.31": "Ensure that the host's user namespaces are not shared",
        "5.32": "Ensure that the Docker socket is not mounted inside any containers",
    },
    "DICOM": {
        "A.5": "Audit Trail Message Format Profile",
        "B.12": "BCP 195 RFC 8996, 9325 TLS Secure Transport Connection Profile",
        "B.13": "Modified BCP 195 RFC 8996, 9325 TLS Secure Transport Connection Profile",
    },
    "IHE": {
        "ITI-19": "Authenticate Node",
        "ITI-20": "Record Audit Event",
    },
}

#: Every clause that a control may cite, by framework id and number.
CLAUSES: Mapping[tuple[str, str], Clause] = MappingProxyType(
    {
        (framework, number): Clause(framework, number, title)
        for framework, numbers in _TITLES.items()
        for number, title in numbers.items()
    }
)
