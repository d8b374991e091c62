"""Defects of the web: logins, roles, routes, headers, records. Edits of haproxy.cfg."""

from __future__ import annotations

from mutants.blueprint import both, declared, lines, replaced, setting
from mutants.defects_wire import WEB_BIND, either
from mutants.mutant import Mutant
from mutants.place import HERE
from securepacs_harness.results import Tier

AUTH = f"  http-request auth realm {HERE.clinic} unless {{ var(txn.role) -m found }}\n"
ROLE = "  http-request set-var(txn.role) var(txn.user),map_str(/etc/gateway/roles.map) if { var(txn.user) -m found }\n"
SHAPE = "  http-request deny deny_status 400 unless { path -m reg ^/[A-Za-z0-9/._,-]*$ }\n"
DOTS = "  http-request deny deny_status 400 if { path -m sub // /./ /../ } or { path -m end /. /.. }\n"
QUERY_OVERRIDE = "  http-request deny deny_status 400 if { query,url_dec,url_dec,url_dec,lower -m sub _method }\n"
HEADER_OVERRIDE = (
    "  http-request deny deny_status 400 if { req.hdr(X-HTTP-Method-Override) -m found } or { req.hdr(X-Method-Override) -m found }"
    " or { req.hdr(X-HTTP-Method) -m found }\n"
)
ENDS = "  http-request set-var(txn.ends) var(txn.claimed),map_str_int(/etc/gateway/token-ends.map) if token_given\n"
IN_QUERY = "url_param(access_token),sha2(256),hex,lower,map_str(/etc/gateway/tokens.map)"
LOG = 'log-format "https src=%ci user='

PEOPLE = (
    Mutant(
        "anonymous-rest",
        "REST is served without a login",
        ("http.anonymous",),
        replaced(AUTH, "  http-request set-var(txn.role) str(admin) unless { var(txn.role) -m found }\n"),
    ),
    Mutant(
        "anonymous-dicomweb",
        "DICOMweb is served without a login",
        ("http.anonymous",),
        replaced(AUTH, "  http-request set-var(txn.role) str(viewer) unless { var(txn.role) -m found }\n"),
    ),
    Mutant(
        "one-open-route",
        "one route is served without a login",
        ("http.anonymous",),
        replaced(AUTH, "  http-request set-var(txn.role) str(admin) if { path /statistics }\n" + AUTH),
    ),
    Mutant(
        "viewer-deletes",
        "a viewer may delete studies",
        ("http.roles",),
        replaced("str(admin_delete) if { var(txn.role) -m str admin }", "str(admin_delete) if { var(txn.role) -m str admin viewer }"),
    ),
    Mutant(
        "viewer-stores",
        "a viewer may store images",
        ("http.roles",),
        replaced("str(stow) if { var(txn.role) -m str clinician admin }", "str(stow) if { var(txn.role) -m str clinician admin viewer }"),
    ),
    Mutant(
        "route-missing",
        "a role cannot use a route that was declared for it",
        ("http.granted",),
        replaced("str(admin_read) if { var(txn.role) -m str admin }", "str(admin_read) if { var(txn.role) -m str nobody }"),
    ),
    Mutant(
        "trusted-header",
        "whoever says in a header that he is somebody is believed",
        ("http.forged-headers",),
        replaced(ROLE, "  http-request set-var(txn.user) req.hdr(X-Forwarded-User) if { req.hdr(X-Forwarded-User) -m found }\n" + ROLE),
    ),
    Mutant(
        "trusted-host-name",
        "whoever asks under the archive's own host name is believed",
        ("http.forged-headers",),
        both(
            replaced(
                "  http-request deny deny_status 421 unless",
                "  http-request deny deny_status 421 unless { req.hdr(host) -m str archive:8042 } or",
            ),
            replaced(AUTH, "  http-request set-var(txn.role) str(admin) if { req.hdr(host) -m str archive:8042 }\n" + AUTH),
        ),
    ),
    Mutant(
        "second-login-believed",
        "of two Authorization headers one is checked, and the other one's name believed",
        ("session.two-credentials",),
        both(
            replaced("{ req.fhdr_cnt(Authorization) gt 1 } or { req.fhdr_cnt(Content-Type) gt 1 }", "{ req.fhdr_cnt(Content-Type) gt 1 }"),
            replaced(
                ROLE,
                "  http-request set-var(txn.user) req.fhdr(Authorization,2),regsub(^Basic.,),b64dec,field(1,:)"
                " if { var(txn.user) -m found } { req.fhdr_cnt(Authorization) gt 1 }\n" + ROLE,
            ),
        ),
    ),
    Mutant(
        "users-told",
        "a wrong password of a user who does not exist is answered otherwise",
        ("leaks.reject-reasons",),
        replaced(AUTH, "  http-request deny deny_status 403 if password_given { http_auth_user -m beg zz }\n" + AUTH),
    ),
    Mutant(
        "default-login",
        "a published default login works",
        ("credentials.defaults",),
        both(
            replaced("userlist people\n", "userlist people\n  user orthanc insecure-password orthanc\n"),
            lambda blueprint: blueprint.with_text("gateway", "roles.map", blueprint.text("gateway", "roles.map") + "orthanc admin\n"),
        ),
    ),
    Mutant(
        "password-as-it-is",
        "a password is stored as it is",
        ("credentials.weak-hashes",),
        replaced("userlist people\n", "userlist people\n  user former insecure-password Summer2026!\n"),
    ),
    Mutant(
        "ended-token",
        "a machine's token goes on after its last day",
        ("http.token",),
        replaced("  acl in_time date,neg,add(txn.ends) gt 0\n", "  acl in_time always_true\n"),
    ),
    Mutant(
        "any-token",
        "a token is taken for a machine's unread",
        ("http.token",),
        replaced(ENDS, "  http-request set-var(txn.claimed) str(machine:sender) if token_given\n" + ENDS),
    ),
    Mutant(
        "token-in-query",
        "a token counts in a query too, which stands in logs and histories",
        ("http.token",),
        replaced(ENDS, f"  http-request set-var(txn.claimed) {IN_QUERY} if !token_given\n" + ENDS.replace(" if token_given", "")),
    ),
    Mutant(
        "token-routes-unheld",
        "a token opens all that its role may",
        ("http.token-routes",),
        lines("http-request deny deny_status 403 if is_machine !machines_route"),
    ),
    Mutant(
        "guessing-unbounded",
        "passwords may be guessed without end",
        ("credentials.guessing",),
        replaced("  http-request sc-inc-gpc0(0) if password_given !{ var(txn.user) -m found } or token_given !is_machine\n", ""),
        Tier.LOAD,
        "credentials.*,http.granted",
    ),
)

REQUESTS = (
    Mutant(
        "path-rewritten-after-decision",
        "a path is mended after its route was decided",
        ("http.paths",),
        both(
            replaced(SHAPE, ""),
            replaced(DOTS, ""),
            replaced("{ path -m reg '^/dicom-web/(studies|series|instances)$' }", "{ path -m beg /dicom-web/ }"),
            replaced(
                "  http-request del-header Cookie\n",
                "  http-request set-path /system if { path -m end /system }\n  http-request del-header Cookie\n",
            ),
        ),
    ),
    Mutant("override-in-query", "a query says another method", ("http.method-override",), replaced(QUERY_OVERRIDE, "")),
    Mutant("override-in-header", "a header says another method", ("http.method-override",), replaced(HEADER_OVERRIDE, "")),
    Mutant(
        "requests-unread",
        "requests are passed on unread, and the archive asks for no login",
        ("http.framing",),
        both(
            replaced(WEB_BIND, WEB_BIND.replace(":8443", "127.0.0.1:18443")),
            replaced(
                "\nfrontend dicom\n",
                "\nfrontend unread\n  mode tcp\n  bind :8443 ssl crt /etc/gateway/server.pem\n  default_backend unread\n\n"
                "backend unread\n  mode tcp\n  server archive archive:8042 resolvers engine init-addr last,libc,none\n\nfrontend dicom\n",
            ),
            setting("AuthenticationEnabled", value=False),
        ),
    ),
    Mutant(
        "cleartext-on-https-port",
        "the HTTPS port serves plain HTTP too",
        ("http.cleartext",),
        both(
            replaced(WEB_BIND, WEB_BIND.replace(":8443", "127.0.0.1:18443")),
            replaced(
                "\nfrontend dicom\n",
                either(8443, 18443, "server plain 127.0.0.1:18080").replace(
                    "\nfrontend dicom\n",
                    "\nfrontend plain\n  mode http\n  bind 127.0.0.1:18080\n  http-request return status 200\n\nfrontend dicom\n",
                ),
            ),
        ),
    ),
)

HEADERS = (
    Mutant(
        "cors-for-all",
        "pages of any origin may read answers",
        ("http.cors",),
        replaced(
            "  http-after-response del-header Server\n",
            '  http-after-response del-header Server\n  http-after-response set-header Access-Control-Allow-Origin "*"\n',
        ),
    ),
    Mutant(
        "cors-for-questions",
        "pages of any origin are told that they may ask",
        ("http.cors",),
        replaced(
            "  http-after-response del-header Server\n",
            "  http-after-response del-header Server\n"
            '  http-after-response set-header Access-Control-Allow-Origin "*" if { method OPTIONS }\n',
        ),
    ),
    Mutant(
        "no-hsts",
        "browsers are not told to stay on HTTPS",
        ("http.hsts",),
        replaced('  http-after-response set-header Strict-Transport-Security "max-age=31536000"\n', ""),
    ),
    Mutant(
        "cached",
        "shared caches may keep answers",
        ("http.cache",),
        replaced("  http-after-response set-header Cache-Control no-store\n", "  http-after-response set-header Cache-Control public\n"),
    ),
    Mutant(
        "server-named",
        "answers name the product and its version",
        ("leaks.http",),
        replaced("  http-after-response del-header Server\n", '  http-after-response set-header Server "Orthanc 1.13.0"\n'),
    ),
    Mutant(
        "existence-told",
        "a refusal tells that a study is not there",
        ("leaks.existence",),
        replaced(
            AUTH, "  http-request deny deny_status 404 if { path -m beg /dicom-web/studies/2.25.0 } !{ var(txn.role) -m found }\n" + AUTH
        ),
    ),
    Mutant(
        "version-below-floor",
        "the archive is a version with known ways in",
        ("cve.floor",),
        replaced(
            "  # The archive hears the gateway, not the client.\n",
            '  http-request return status 200 content-type application/json string \'{"Version":"1.12.7"}\' if { path /system }\n',
        ),
    ),
)

_NOW = "date -u +%Y-%m-%dT%H:%M:%SZ"

RECORDS = (
    Mutant(
        "denials-unnamed",
        "a denial's record does not say who claimed to be whom",
        ("audit.denials",),
        replaced(" claimed=%[var(sess.claimed)] %[ssl_fc_protocol]", " %[ssl_fc_protocol]"),
    ),
    Mutant(
        "denials-unrecorded",
        "who shows no certificate leaves no record",
        ("audit.denials",),
        lines('error-log-format "dicom ', new='  error-log-format "-"\n'),
    ),
    Mutant(
        "accesses-unrecorded",
        "granted associations leave no record",
        ("audit.accesses",),
        replaced(
            "\nbackend archive_dicom\n  mode tcp\n", "\nbackend archive_dicom\n  mode tcp\n  tcp-request content set-log-level silent\n"
        ),
    ),
    Mutant(
        "people-unrecorded",
        "people's requests leave no record",
        ("audit.accesses",),
        replaced("\nbackend archive_http\n  mode http\n", "\nbackend archive_http\n  mode http\n  http-request set-log-level silent\n"),
    ),
    Mutant("paths-logged", "the log holds studies' identifiers", ("audit.privacy",), replaced(LOG, 'log-format "https %HU src=%ci user=')),
    Mutant(
        "logins-logged",
        "the log holds people's logins",
        ("secrets.logs",),
        both(
            replaced(
                "  acl password_given http_auth_type -m str Basic\n",
                "  acl password_given http_auth_type -m str Basic\n  http-request set-var(txn.told) req.hdr(Authorization)\n",
            ),
            replaced(LOG, 'log-format "https src=%ci told=%[var(txn.told)] user='),
        ),
    ),
    Mutant(
        "backup-stale",
        "the newest backup is years old",
        ("recovery.backup",),
        declared(lambda target: target.update(recovery={"part": "archive", "newest": "echo 2020-01-01T00:00:00Z", "max_age_hours": 26})),
    ),
    Mutant(
        "restored-in-part",
        "the latest trial of restoring gave back less than was backed up",
        ("recovery.restored",),
        declared(lambda target: target.update(recovery={"part": "archive", "newest": _NOW, "restored": f"echo $({_NOW}) 1200 1199"})),
    ),
    Mutant(
        "waiver-expired",
        "a waiver has expired",
        ("target.waivers",),
        declared(lambda target: target["waivers"][0].update(until="2020-01-01")),
    ),
    Mutant(
        "expectation-misspelt",
        "the declaration narrows a check that does not exist",
        ("target.declared",),
        declared(lambda target: target["expects"].update({"mtls.anonymus": {"layers": ["tls"]}})),
    ),
    Mutant(
        "residue",
        "synthetic studies cannot be removed",
        ("target.residue",),
        declared(lambda target: target["cleanup"].update(user="vera")),
    ),
)

WEB = (*PEOPLE, *REQUESTS, *HEADERS, *RECORDS)
