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
#define ADMIN_NORD_TOKEN "token-of-office-nord"
#define ADMIN_SUED_TOKEN "token-of-office-sued"
#define ADMIN_NORD "Zznord"
#define ADMIN_SUED "Zzsued"
#define ADMIN_NORD_ID "6e6f7264" /* the last eight characters of ids */
#define ADMIN_SUED_ID "73756564"

struct admin_said { /* the answer; in the request's arena */
	unsigned answers, status;
	struct str content_type, body;
	const struct request_pair *headers;
	size_t header_count;
	bool hook;    /* it went to the intake */
	bool stream;  /* a live stream was begun */
	bool decided; /* a verdict, a call, a reload, a person forgotten */
	char whose;   /* of what was decided: 'n', 's', or '*' of the host */
};

/* The request's memory is not looked at any more afterwards. */
void admin_host_ask(struct request *request, struct admin_said *said);

#endif
