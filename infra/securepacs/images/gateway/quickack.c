/* Loaded into HAProxy before the C library: after each recv() what was received is acknowledged at once (tcp(7), TCP_QUICKACK).

   A sender that leaves Nagle's algorithm on, as most DICOM software does, holds back the end of each message until what it sent
   before is acknowledged, and Linux acknowledges up to 40 ms late where it hopes to do so with an answer (RFC 1122 4.2.3.2). So
   each C-STORE of such a sender stands still for 40 ms. The option does not last: it is set again after each recv(). It needs no
   privilege, no kernel newer than 2.4.4, and nothing that a restart would take away. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

typedef ssize_t receive(int, void *, size_t, int);

static receive *received;

__attribute__((constructor)) static void find(void) { received = (receive *)dlsym(RTLD_NEXT, "recv"); }

ssize_t recv(int socket, void *buffer, size_t length, int flags) {
    ssize_t count = received(socket, buffer, length, flags);
    if (count > 0) {
        int seen = errno, on = 1;
        setsockopt(socket, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
        errno = seen; /* HAProxy reads it; on what is not TCP the option fails, and nothing is lost. */
    }
    return count;
}
