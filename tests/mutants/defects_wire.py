"""Defects of the gateway's TLS, of its identities, and of what it lets through: edits of haproxy.cfg."""

from __future__ import annotations

from mutants.blueprint import Edit, added, beside, both, declared, engine, inner_network, lines, replaced, setting
from mutants.blueprint import Extra as Beside
from mutants.mutant import Mutant
from securepacs_harness.results import Tier

BIND = "bind :2762 ssl crt /etc/gateway/server.pem ca-file /etc/gateway/peers-ca.pem crl-file /etc/gateway/crl.pem verify required"
WEB_BIND = "bind :8443 ssl crt /etc/gateway/server.pem alpn h2,http/1.1"
SUITES = "ssl-default-bind-ciphers ECDHE-ECDSA-AES128-GCM-SHA256"
OPTIONS = "ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets"
BOUND = "  tcp-request content use-service lua.associate_rj_calling unless { var(sess.calling),strcmp(sess.peer) eq 0 }\n"
DECLARED = "  tcp-request content use-service lua.associate_rj_calling unless { var(sess.calling) -m found }\n"
LOOKED_UP = "  tcp-request content set-var(sess.calling) req.payload(26,16),hex,map_str(/etc/gateway/ae.map)\n"
KNOWN_BY_CERTIFICATE = "  tcp-request content set-var(sess.peer) ssl_c_s_dn(CN)\n"
NAMED = "  tcp-request content set-var(sess.peer) var(sess.calling)\n"
OLD_SUITES = ":ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:@SECLEVEL=0"
LUA = "  lua-load /usr/share/securepacs/associate_rj.lua\n"


def _ignoring(errors: str) -> Edit:
    return replaced(BIND, f"{BIND} crt-ignore-err {errors} ca-ignore-err {errors}")


#: The rule about the called AE title; it stands in two listeners.
CALLED = "lua.associate_rj_called unless"


def either(port: int, inside: int, plain: str) -> str:
    """Write a listener that takes TLS and plaintext on one port."""
    return f"""
frontend either_{port}
  mode tcp
  bind :{port}
  tcp-request inspect-delay 5s
  tcp-request content accept if {{ req.ssl_hello_type 1 }}
  tcp-request content accept if {{ req.len gt 5 }}
  use_backend inside_{port} if {{ req.ssl_hello_type 1 }}
  default_backend plain_{port}

backend inside_{port}
  mode tcp
  server tls 127.0.0.1:{inside}

backend plain_{port}
  mode tcp
  {plain}

frontend dicom
"""


#: A service that answers with an A-ASSOCIATE-AC of one context (PS3.8 table 9-17), whatever came.
_ACCEPTS = """
core.register_service("accepts", "tcp", function(applet)
    local body = string.rep("\\0", 68) .. "\\33\\0\\0\\25\\1\\0\\0\\0\\64\\0\\0\\17" .. "1.2.840.10008.1.2"
    applet:send("\\2\\0\\0\\0\\0" .. string.char(#body) .. body)
end)
"""

#: An action that holds a connection for some seconds.
_HOLDS = """
core.register_action("hold", {"tcp-req"}, function(txn) core.msleep(8000) end)
"""

#: Let whoever calls be whom he says: the certificate does not count.
_NO_BINDING = replaced(BOUND, "")
_BY_NAME = both(_NO_BINDING, replaced(LOOKED_UP, LOOKED_UP + NAMED))

TLS = (
    Mutant(
        "tls-1.0",
        "both listeners take TLS 1.0",
        ("tls.versions",),
        both(replaced(OPTIONS, OPTIONS.replace("TLSv1.2", "TLSv1.0")), replaced(SUITES, SUITES + OLD_SUITES)),
    ),
    Mutant(
        "tls-1.1-web",
        "the web listener takes TLS 1.1",
        ("tls.versions",),
        replaced(WEB_BIND, f"{WEB_BIND} ssl-min-ver TLSv1.1 ciphers ECDHE-ECDSA-AES128-GCM-SHA256{OLD_SUITES}"),
    ),
    Mutant(
        "cbc-suite",
        "a suite without authenticated encryption is taken",
        ("tls.weak-suites",),
        replaced(SUITES, f"{SUITES}:ECDHE-ECDSA-AES128-SHA256"),
    ),
    Mutant(
        "anonymous-suite",
        "a suite without a server's certificate is taken",
        ("tls.weak-suites",),
        replaced(SUITES, f"{SUITES}:AECDH-AES128-SHA:@SECLEVEL=0"),
    ),
    Mutant(
        "tls-1.3-only",
        "TLS 1.2 is not taken, which every device must offer",
        ("tls.strong-suites",),
        replaced(OPTIONS, OPTIONS.replace("TLSv1.2", "TLSv1.3")),
    ),
    Mutant(
        "resumption",
        "TLS sessions are resumed",
        ("tls.resumption",),
        both(replaced(OPTIONS, OPTIONS.replace(" no-tls-tickets", "")), replaced("tune.ssl.cachesize 0", "tune.ssl.cachesize 1000")),
    ),
    Mutant(
        "plaintext-on-tls-port",
        "the TLS listener takes plaintext too",
        ("network.plaintext-on-tls-port",),
        both(
            replaced(BIND, BIND.replace(":2762", "127.0.0.1:12762")),
            replaced("\nfrontend dicom\n", either(2762, 12762, "server archive archive:4242 resolvers engine init-addr last,libc,none")),
        ),
    ),
    Mutant(
        "no-tls",
        "DICOM is spoken without TLS, and declared so",
        ("tls.required",),
        both(
            replaced(BIND, "bind :2762"),
            _BY_NAME,
            replaced("  tcp-request content set-var(sess.pinned) ssl_c_der,sha2(256),hex,lower,map_str(/etc/gateway/pinned.map)\n", ""),
            replaced("  tcp-request content set-var(sess.peer) var(sess.pinned) if { var(sess.pinned) -m found }\n", ""),
            replaced(KNOWN_BY_CERTIFICATE, ""),
            declared(lambda target: target["dicom"].update(tls=False)),
        ),
    ),
)

CERTIFICATES = (
    Mutant(
        "no-certificate-needed",
        "a peer needs no certificate, its AE title is believed",
        ("mtls.anonymous",),
        both(replaced(BIND, BIND.replace("required", "optional")), _BY_NAME),
    ),
    Mutant(
        "any-certificate",
        "a certificate of anybody's is taken",
        ("mtls.forged",),
        both(_ignoring("all"), _BY_NAME),
    ),
    Mutant(
        "revoked-accepted",
        "the revocation list is not looked at",
        ("mtls.revoked",),
        replaced(BIND, BIND.replace(" crl-file /etc/gateway/crl.pem", "")),
    ),
    Mutant("expired-accepted", "an expired certificate is taken", ("mtls.unfit",), _ignoring("10")),
    Mutant("not-yet-valid-accepted", "a certificate is taken before its time", ("mtls.unfit",), _ignoring("9")),
    Mutant("server-certificate-accepted", "a certificate for servers is taken from a client", ("mtls.unfit",), _ignoring("26")),
)

ASSOCIATION = (
    Mutant("ae-binding-off", "a certificate opens associations under any declared AE title", ("association.calling-ae",), _NO_BINDING),
    Mutant(
        "ae-in-any-case",
        "an AE title is compared without its case",
        ("association.calling-ae",),
        both(
            replaced("req.payload(26,16),hex,map_str", "req.payload(26,16),upper,hex,map_str"), setting("StrictAetComparison", value=False)
        ),
    ),
    Mutant(
        "ae-by-its-beginning",
        "of an AE title only the beginning is compared",
        ("association.calling-ae",),
        both(
            replaced(LOOKED_UP, ""),
            replaced(DECLARED, ""),
            replaced(
                BOUND, "  tcp-request content use-service lua.associate_rj_calling unless { req.payload(26,4),strcmp(sess.peer) eq 0 }\n"
            ),
        ),
    ),
    Mutant(
        "ae-up-to-a-nul",
        "of an AE title what stands before a NUL is compared",
        ("association.calling-ae",),
        replaced("req.payload(26,16),hex,map_str", f"req.payload(26,16),hex,regsub(00.*,{'20' * 16}),bytes(0,32),map_str"),
    ),
    Mutant(
        "called-ae-unchecked",
        "an association may call any AE title",
        ("association.called-ae",),
        both(lines(CALLED), setting("DicomCheckCalledAet", value=False)),
    ),
    Mutant(
        "fail-open-pause",
        "who pauses until the wait for data ends is let through",
        ("association.pauses",),
        both(
            lines("tcp-request content reject unless { req.payload"),
            replaced(DECLARED, DECLARED.replace("unless {", "if { req.payload(26,16) -m found } !{")),
            replaced(BOUND, BOUND.replace("unless {", "if { var(sess.calling) -m found } !{")),
            lines(CALLED),
        ),
    ),
    Mutant(
        "malformed-accepted",
        "whatever is sent is answered with an acceptance",
        ("association.malformed",),
        both(
            added("accept.lua", _ACCEPTS),
            replaced(LUA, f"{LUA}  lua-load /etc/gateway/accept.lua\n"),
            replaced(
                "  tcp-request content reject unless { req.payload(0,1) -m bin 01 }\n",
                "  tcp-request content use-service lua.accepts unless { req.payload(0,1) -m bin 01 }\n",
                times=2,
            ),
        ),
    ),
    Mutant(
        "plaintext-for-anybody",
        "the listener of a waived device takes any AE title",
        ("association.plaintext-waiver",),
        lines("req.payload(26,16),hex -m str"),
    ),
    Mutant(
        "telling-reasons",
        "a known AE title is rejected otherwise than an unknown one",
        ("leaks.reject-reasons",),
        replaced(BOUND, BOUND.replace("associate_rj_calling", "associate_rj_limit")),
    ),
    Mutant(
        "strangers-served",
        "a stranger without certificate gets an association",
        ("leaks.implementation", "mtls.anonymous"),
        both(
            replaced(BIND, BIND.replace("required", "optional")),
            replaced(BOUND, ""),
            replaced(DECLARED, ""),
            setting("DicomAlwaysAllowEcho", value=True),
        ),
    ),
)

NETWORK = (
    Mutant(
        "archive-port-published",
        "the archive's own DICOM port is published",
        ("network.closed-ports", "network.segmentation"),
        both(
            engine("archive", PortBindings={"4242/tcp": [{"HostIp": "127.0.0.1", "HostPort": "4242"}]}),
            lambda blueprint: blueprint.part("archive", networks={"edge": (), **blueprint.parts["archive"].networks}),
            lambda blueprint: blueprint.part("archive", config={**blueprint.parts["archive"].config, "ExposedPorts": {"4242/tcp": {}}}),
        ),
    ),
    Mutant(
        "database-port-published",
        "a database's port is published",
        ("network.closed-ports",),
        beside("database", Beside("gateway", ("socat", "TCP-LISTEN:5432,fork,reuseaddr", "EXEC:/bin/cat"), 5432)),
    ),
    Mutant(
        "metrics-port-published",
        "a port answers that nobody declared",
        ("network.open-ports",),
        beside("metrics", Beside("gateway", ("socat", "TCP-LISTEN:9100,fork,reuseaddr", "EXEC:/bin/cat"), 9100)),
    ),
    Mutant(
        "route-out",
        "the archive's network leads out",
        ("network.egress", "network.segmentation"),
        inner_network(internal=False, options=None),
    ),
    Mutant(
        "statistics-listener",
        "the gateway's statistics listen on every network",
        ("network.listeners",),
        replaced("\nfrontend health\n", "\nfrontend statistics\n  mode http\n  bind :8404\n  stats enable\n\nfrontend health\n"),
    ),
)

#: What is tried on a system that makes others wait.
LOADED = "availability.*,dimse.granted,dimse.echo"

AVAILABILITY = (
    Mutant(
        "one-at-a-time",
        "one silent connection takes the only place",
        ("availability.silent", "availability.half-open"),
        both(
            replaced("\nfrontend dicom\n  mode tcp\n", "\nfrontend dicom\n  mode tcp\n  maxconn 1\n"),
            replaced("timeout client-hs 5s", "timeout client-hs 60s"),
        ),
        Tier.LOAD,
        LOADED,
    ),
    Mutant(
        "few-places",
        "some silent connections take all places",
        ("availability.many",),
        both(
            replaced("\nfrontend dicom\n  mode tcp\n", "\nfrontend dicom\n  mode tcp\n  maxconn 40\n"),
            replaced("timeout client-hs 5s", "timeout client-hs 60s"),
        ),
        Tier.LOAD,
        LOADED,
    ),
    Mutant(
        "parts-passed-on",
        "the gateway passes on what it has not seen whole",
        ("availability.partial",),
        lines("tcp-request content reject", "lua.associate_rj_", "req.payload"),
        Tier.LOAD,
        LOADED,
    ),
    Mutant(
        "huge-held",
        "who announces a huge request takes the only place",
        ("availability.oversized",),
        both(
            added("hold.lua", _HOLDS),
            replaced(LUA, f"{LUA}  lua-load /etc/gateway/hold.lua\n"),
            replaced("\nfrontend dicom\n  mode tcp\n", "\nfrontend dicom\n  mode tcp\n  maxconn 1\n"),
            replaced(
                KNOWN_BY_CERTIFICATE,
                f"{KNOWN_BY_CERTIFICATE}  tcp-request content lua.hold if {{ req.payload(2,4),hex -m str FFFFFFFF }}\n",
            ),
            lines("reject unless { req.payload_lv"),
        ),
        Tier.LOAD,
        LOADED,
    ),
    Mutant(
        "few-workers",
        "idle associations take all of the archive's workers",
        ("availability.idle",),
        setting("DicomThreadsCount", 2),
        Tier.LOAD,
        LOADED,
    ),
)

WIRE = (*TLS, *CERTIFICATES, *ASSOCIATION, *NETWORK, *AVAILABILITY)
