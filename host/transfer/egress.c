/* egress.c - see egress.h. Never resolves a name: it judges addresses that somebody else found,
 * at the moment a socket is made, which is what holds against a name that changes its mind. */
#include "transfer/egress.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct range { /* as IPv6; IPv4 is mapped */
	uint8_t address[16];
	unsigned bits;
};

struct rule {
	bool is_name;
	char name[256];
	struct range range;
	unsigned port; /* 0: every port */
};

struct egress {
	size_t count;
	struct rule rules[];
};

/* ---- Addresses ---------------------------------------------------------------------------- */

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static void map_v4(uint8_t out[16], const void *v4)
{
	memcpy(out, mapped_prefix, 12);
	memcpy(out + 12, v4, 4);
}

static bool is_mapped(const uint8_t address[16])
{
	return !memcmp(address, mapped_prefix, 12);
}

static bool to_v6(uint8_t out[16], const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		map_v4(out, &((const struct sockaddr_in *)(const void *)address)->sin_addr);
		return true;
	}
	if (address->sa_family == AF_INET6) {
		memcpy(out, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
		return true;
	}
	return false;
}

static bool range_holds(const struct range *range, const uint8_t address[16])
{
	unsigned whole = range->bits / 8, rest = range->bits % 8;
	uint8_t mask = (uint8_t)(0xff00 >> rest);

	if (memcmp(range->address, address, whole))
		return false;
	return !rest || ((range->address[whole] ^ address[whole]) & mask) == 0;
}

struct special {
	uint8_t prefix[16];
	unsigned bits;
	enum egress_class class;
};

static enum egress_class classify_v4(const uint8_t b[4])
{
	static const struct special table[] = {
		{{0}, 8, EGRESS_FORBIDDEN},
		{{10}, 8, EGRESS_PRIVATE},
		{{100, 100, 100, 200}, 32, EGRESS_FORBIDDEN}, /* a cloud's metadata */
		{{100, 64}, 10, EGRESS_PRIVATE},
		{{127}, 8, EGRESS_LOOPBACK},
		{{168, 63, 129, 16}, 32, EGRESS_FORBIDDEN}, /* a cloud's metadata */
		{{169, 254}, 16, EGRESS_FORBIDDEN},
		{{172, 16}, 12, EGRESS_PRIVATE},
		{{192, 0, 0}, 24, EGRESS_FORBIDDEN},
		{{192, 0, 2}, 24, EGRESS_FORBIDDEN},
		{{192, 88, 99}, 24, EGRESS_FORBIDDEN},
		{{192, 168}, 16, EGRESS_PRIVATE},
		{{198, 18}, 15, EGRESS_FORBIDDEN},
		{{198, 51, 100}, 24, EGRESS_FORBIDDEN},
		{{203, 0, 113}, 24, EGRESS_FORBIDDEN},
		{{224}, 4, EGRESS_FORBIDDEN},
		{{240}, 4, EGRESS_FORBIDDEN},
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct range range = {.bits = table[i].bits};

		memcpy(range.address, table[i].prefix, 16);
		uint8_t padded[16] = {b[0], b[1], b[2], b[3]};
		if (range_holds(&range, padded))
			return table[i].class;
	}
	return EGRESS_PUBLIC;
}

static enum egress_class classify_v6(const uint8_t b[16])
{
	static const struct special table[] = {
		{{0xfd, 0, 0x0e, 0xc2}, 32, EGRESS_FORBIDDEN}, /* a cloud's metadata */
		{{0xfc}, 7, EGRESS_PRIVATE},
		{{0x20, 0x01, 0x0d, 0xb8}, 32, EGRESS_FORBIDDEN}, /* documentation */
		{{0x20, 0x01, 0}, 23, EGRESS_FORBIDDEN},          /* Teredo and other protocols */
		{{0x3f, 0xff, 0}, 20, EGRESS_FORBIDDEN},          /* documentation */
		{{0x20}, 3, EGRESS_PUBLIC},
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct range range = {.bits = table[i].bits};

		memcpy(range.address, table[i].prefix, 16);
		if (range_holds(&range, b))
			return table[i].class;
	}
	return EGRESS_FORBIDDEN; /* outside 2000::/3 nothing is public */
}

enum egress_class egress_classify(const struct sockaddr *address)
{
	static const uint8_t loopback[16] = {[15] = 1};
	static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b};
	uint8_t b[16];

	if (!to_v6(b, address))
		return EGRESS_FORBIDDEN;
	if (is_mapped(b))
		return classify_v4(b + 12);
	if (!memcmp(b, loopback, 16))
		return EGRESS_LOOPBACK;
	if (!memcmp(b, nat64, 12))
		return classify_v4(b + 12);
	if (b[0] == 0x20 && b[1] == 0x02) /* 6to4 */
		return classify_v4(b + 2);
	return classify_v6(b);
}

/* ---- What the INI allows ------------------------------------------------------------------ */

static bool parse_uint(const char *text, unsigned max, unsigned *out)
{
	unsigned long n = 0;

	if (!*text || strlen(text) > 5)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		n = n * 10 + (unsigned long)(*text - '0');
	}
	*out = (unsigned)n;
	return n <= max;
}

/* "10.0.0.0/8", "10.0.0.1", "fd00::/8", "::1" */
static bool parse_range(struct range *range, const char *text)
{
	char address[64];
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	uint8_t v4[4];
	unsigned bits = 128;

	if (len >= sizeof(address))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	if (inet_pton(AF_INET, address, v4) == 1) {
		map_v4(range->address, v4);
		if (slash && !parse_uint(slash + 1, 32, &bits))
			return false;
		range->bits = slash ? bits + 96 : 128;
		return true;
	}
	if (inet_pton(AF_INET6, address, range->address) != 1)
		return false;
	if (slash && !parse_uint(slash + 1, 128, &bits))
		return false;
	range->bits = bits;
	return true;
}

static bool is_host_name(const char *text)
{
	if (!*text || strlen(text) > 253)
		return false;
	for (; *text; text++) {
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._",
			    *text))
			return false;
	}
	return true;
}

/* Cuts ":port" off; an address with more than one colon needs brackets for that. */
static bool split_port(char *text, char **host, unsigned *port)
{
	char *colon = strrchr(text, ':');

	*port = 0;
	*host = text;
	if (text[0] == '[') {
		char *end = strchr(text, ']');
		if (!end || (end[1] && end[1] != ':'))
			return false;
		*host = text + 1;
		colon = end[1] ? end + 1 : NULL;
		*end = '\0';
	} else if (colon && strchr(text, ':') != colon) {
		return true; /* a bare IPv6 address */
	}
	if (!colon)
		return true;
	*colon = '\0';
	return parse_uint(colon + 1, 65535, port) && *port;
}

static bool parse_rule(struct rule *rule, const char *text)
{
	char copy[sizeof(rule->name)];
	char *host;

	if (strlen(text) >= sizeof(copy))
		return false;
	strcpy(copy, text);
	if (!split_port(copy, &host, &rule->port))
		return false;
	if (parse_range(&rule->range, host))
		return true;
	rule->is_name = true;
	strcpy(rule->name, host);
	/* "10.0.0" or "10.0.0.0/33" is a slip in an address, never a name. */
	return is_host_name(host) && strspn(host, "0123456789.") != strlen(host);
}

struct egress *egress_create(struct error *error, const char *const *allow_private)
{
	size_t count = 0;

	while (allow_private && allow_private[count])
		count++;
	struct egress *egress = calloc(1, sizeof(*egress) + count * sizeof(egress->rules[0]));
	if (!egress) {
		error_set(error, E_NOMEM, "no memory for the rules of outgoing requests");
		return NULL;
	}
	for (; egress->count < count; egress->count++) {
		const char *text = allow_private[egress->count];

		if (parse_rule(&egress->rules[egress->count], text))
			continue;
		error_set(error, E_INVALID,
			"\"%.100s\" is no address, network or host; write it like 10.0.0.0/8, "
			"127.0.0.1:8090, [::1]:8090 or nas.local",
			text);
		free(egress);
		return NULL;
	}
	return egress;
}

void egress_destroy(struct egress *egress)
{
	free(egress);
}

bool egress_is_empty(const struct egress *egress)
{
	return egress->count == 0;
}

static bool rule_covers(const struct rule *rule, enum egress_class class, const char *host,
	unsigned port, const uint8_t address[16])
{
	if (rule->port && rule->port != port)
		return false;
	if (!rule->is_name)
		return range_holds(&rule->range, address);
	return class != EGRESS_FORBIDDEN && !strcasecmp(rule->name, host);
}

bool egress_allows(const struct egress *egress, bool tls, const char *host, unsigned port,
	const struct sockaddr *address)
{
	enum egress_class class = egress_classify(address);
	uint8_t b[16];

	if (class == EGRESS_PUBLIC)
		return tls;
	if (!to_v6(b, address))
		return false;
	for (size_t i = 0; i < egress->count; i++) {
		if (rule_covers(&egress->rules[i], class, host, port, b))
			return true;
	}
	return false;
}

bool egress_covers(const struct egress *egress, const struct sockaddr *address)
{
	uint8_t b[16];

	if (!to_v6(b, address))
		return false;
	for (size_t i = 0; i < egress->count; i++)
		if (!egress->rules[i].is_name && range_holds(&egress->rules[i].range, b))
			return true;
	return false;
}

/* ---- Which hosts a plugin declared ------------------------------------------------------------
 */

static bool entry_is(struct str entry, const char *host, unsigned port, unsigned default_port)
{
	char copy[300], *name;
	unsigned entry_port;

	if (!entry.len || entry.len >= sizeof(copy))
		return false;
	memcpy(copy, entry.ptr, entry.len);
	copy[entry.len] = '\0';
	if (strlen(copy) != entry.len || !split_port(copy, &name, &entry_port))
		return false;
	return (entry_port ? entry_port : default_port) == port && !strcasecmp(name, host);
}

bool egress_lists(const struct str *hosts, size_t count, const char *host, unsigned port,
	unsigned default_port)
{
	for (size_t i = 0; i < count; i++) {
		if (entry_is(hosts[i], host, port, default_port))
			return true;
	}
	return false;
}
