/* server.h - what this host answers over HTTP.
 *
 *   /hooks/OWNER/CONNECTION[/ROUTE]  webhooks of the vendors, to the intake
 *   /livez /readyz /metrics          for whoever watches us
 *   /login /logout                   browsers' sessions
 *   /api/v1/VERB                     the verbs of admin.h: POST a JSON object, or GET with a query
 *   /api/v1/live                     the stream of live.h
 *   /api/v1/routes                   this list, and the verbs
 *   /  /show/ID  /live               the pages
 *
 * Who may what is guard.h's: the operator everything, an office (token of a [tenant]) API, pages
 * and stream for its own rows, everybody else what stands in the first three lines but /metrics.
 * Without any credential in the configuration all of it is closed, also on loopback: a proxy in
 * front, or a page in somebody's browser, would come from there too.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <stdint.h>
#include "http/admin.h"

struct config;
struct error;
struct runner;
struct server;

struct server_options {
	const struct config *config; /* a reference is taken */
	struct runner *runner;
	struct admin admin;
	int fd; /* > 0: a listening socket handed to us */
};

struct server *server_create(struct error *error, const struct server_options *options);
/* New credentials count from now on, and the old ones no longer, nor sessions they opened; proxies,
 * certificate and key likewise; the rest of [host] needs a start. Any thread. */
void server_configure(struct server *server, const struct config *config);
unsigned server_port(const struct server *server);
int server_drain(struct server *server, int64_t deadline_ms);
void server_destroy(struct server *server); /* takes NULL */

#endif
