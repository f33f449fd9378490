/* admin_host.h - a host as the HTTP API sees it, for fuzz_admin.c: the real server over a real
 * store, without sockets, plugins and runner.
 *
 * Two offices, nord and sued, have the same rows. Everything that is an office's own has its mark
 * in it, ADMIN_NORD or ADMIN_SUED, its ids end in the mark's bytes. The store is only read: what a
 * request would change in it, or ask of the runner, is judged here (whose is it?) and told as done.
 * So the same request always has the same answer.
 */
#ifndef FUZZ_ADMIN_HOST_H
#define FUZZ_ADMIN_HOST_H

#include "http/listener.h"

#define ADMIN_OPERATOR "operator-of-this-host"
#define ADMIN_PASSWORD "password-of-the-operator"
#define ADMIN_NORD_TOKEN "token-of-office-nord"
#define ADMIN_SUED_TOKEN "token-of-office-sued"
#define ADMIN_NORD "Zznord"
#define ADMIN_SUED "Zzsued"
#define ADMIN_NORD_ID "6e6f7264" /* the last eight characters of ids */
#define ADMIN_SUED_ID "73756564"

/* How the host fares; several of it at once. */
enum admin_world {
	ADMIN_ALONE = 1,        /* it runs nothing, and its store is empty */
	ADMIN_CLOSED = 2,       /* nobody has a key; it ends after the request */
	ADMIN_DRAINING = 4,     /* it is about to end */
	ADMIN_SECURE = 8,       /* it has a certificate */
	ADMIN_DAMAGED = 16,     /* its store was found damaged */
	ADMIN_FAILING = 32,     /* nothing can be stored */
	ADMIN_UNREADABLE = 64,  /* nor read */
	ADMIN_REFUSING = 128,   /* what is decided cannot be done */
	ADMIN_THREADLESS = 256, /* too much goes on */
	ADMIN_STARVED = 512,    /* there is no memory left */
	ADMIN_CROWDED = 1024,   /* others log in at the same time */
};

struct admin_said { /* the answer; as long as the next request is not asked */
	unsigned answers, status;
	struct arena *arena; /* where it lies, with room */
	struct str content_type, body;
	const struct request_pair *headers;
	size_t header_count;
	bool hook;    /* it went to the intake */
	bool stream;  /* a live stream was begun */
	bool decided; /* a verdict, a call, a reload, a person forgotten */
	char whose;   /* of what was decided: 'n', 's', or '*' of the host */
};

/* world: 0, or enum admin_world. The request's memory is not looked at any more afterwards. */
void admin_host_ask(struct request *request, unsigned world, struct admin_said *said);

#endif
