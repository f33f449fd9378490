/* egress.h - where a request may go: which addresses are public, and what the INI allows besides.
 * Immutable after egress_create(); safe from any thread. */
#ifndef TRANSFER_EGRESS_H
#define TRANSFER_EGRESS_H

#include "base/str.h"

#include <sys/socket.h>

struct error;
struct egress;

enum egress_class {
	EGRESS_PUBLIC,
	EGRESS_PRIVATE, /* RFC 1918, shared (100.64/10), unique local */
	EGRESS_LOOPBACK,
	EGRESS_FORBIDDEN /* link-local and cloud metadata, multicast, reserved, unspecified */
};
/* An IPv4 address inside an IPv6 one (mapped, NAT64, 6to4) counts as that IPv4 address. */
enum egress_class egress_classify(const struct sockaddr *address);

/* allow_private as in transfer_options; NULL: nothing. */
struct egress *egress_create(struct error *error, const char *const *allow_private);
void egress_destroy(struct egress *egress);
bool egress_is_empty(const struct egress *egress);

/* May a socket be opened to this address for http(s)://host:port? */
bool egress_allows(const struct egress *egress, bool tls, const char *host, unsigned port,
	const struct sockaddr *address);

/* Is the address in one of the ranges, whatever its class? Names in the list are none. */
bool egress_covers(const struct egress *egress, const struct sockaddr *address);

/* Is host:port in the list? Entries without a port mean default_port. */
bool egress_lists(const struct str *hosts, size_t count, const char *host, unsigned port,
	unsigned default_port);

#endif
