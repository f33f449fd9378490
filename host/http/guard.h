/* guard.h - who asks, and what for: tokens, sessions of browsers, logins, and proxies before us.
 *
 * Three can ask. The operator, by an admin_token or, in a browser, by a session that one of those
 * or the admin_password opened. An office, by the token of its [tenant] or a session of that: it
 * sees its own rows, and nothing tells it whether anything else is there. Everybody else.
 *
 * What a browser is made to send by a foreign page is from everybody else, whatever cookie it
 * brings.
 */
#ifndef HTTP_GUARD_H
#define HTTP_GUARD_H

#include "base/str.h"
#include "http/logon.h"

struct config;
struct error;
struct guard;
struct request;

struct guard *guard_create(struct error *error, const struct config *config);
void guard_destroy(struct guard *guard); /* takes NULL */

/* Takes over proxies; ends sessions whose credential is not in the configuration any more. On error
 * the proxies stay as they were. */
int guard_configure(struct error *error, struct guard *guard, const struct config *config);

/* Puts the address behind a proxy of ours into request->remote, and whether it came by TLS. Before
 * anything counts by address. Listener's thread. */
void guard_unproxy(struct guard *guard, struct request *request);

enum caller_kind { CALLER_UNKNOWN, CALLER_OFFICE, CALLER_OPERATOR };
struct caller {
	enum caller_kind kind;
	const char *tenant; /* of an office: in the configuration; else NULL */
};
struct caller guard_who(
	struct guard *guard, const struct config *config, const struct request *request);

/* Whether anybody can ask at all: without credentials everything is closed. */
bool guard_has_keys(const struct config *config);

/* A login: takes a secret (token or password) and opens a session. Slow, so never on the listener's
 * thread. */
enum login_end {
	LOGIN_OPEN,    /* cookie: what Set-Cookie says */
	LOGIN_WRONG,   /* it opens nothing */
	LOGIN_WAIT,    /* wait_s: too many wrong ones from there */
	LOGIN_BUSY,    /* too many passwords are being proved */
	LOGIN_FOREIGN, /* another site's page sent it */
};
struct login {
	enum login_end end;
	unsigned wait_s;
	char cookie[256];
};
void guard_login(struct guard *guard, const struct config *config, const struct request *request,
	struct str secret, struct login *out);

/* Ends the session that the request brings. False: a foreign page sent it. cookie: as above. */
bool guard_logout(struct guard *guard, const struct request *request, char cookie[256]);

#endif
