/* logon.h - who has logged in with a browser. In memory only: a restart ends all sessions.
 *
 * A session belongs to the credential that opened it; of each there are so many and no more, so
 * that those of one office cannot crowd out the operator's. Kept are hashes: of the cookie's value,
 * and of the credential. Any thread.
 */
#ifndef HTTP_LOGON_H
#define HTTP_LOGON_H

#include "base/str.h"

#define LOGON_ID 65     /* 64 characters and a NUL */
#define LOGON_TENANT 65 /* the longest name of a tenant and a NUL */
#define LOGON_DIGEST 32

struct logons;

struct logons *logons_create(void);         /* NULL: no memory */
void logons_destroy(struct logons *logons); /* takes NULL */

/* tenant "": the operator's. now_ms: clock_mono_ms(), here and below. False: no memory, a name that
 * is too long, or a credential that is not allowed (any more: proving one takes a while). */
bool logon_open(struct logons *logons, struct str credential, const char *tenant, int64_t now_ms,
	char id[LOGON_ID]);
/* True: it is open, is used now, and *tenant says whose. */
bool logon_find(struct logons *logons, struct str id, int64_t now_ms, char tenant[LOGON_TENANT]);
void logon_close(struct logons *logons, struct str id);

/* From now on these open sessions and no others; ends those that others have opened. At first: none
 * does. False: no memory, all is as before. */
struct logon_credential {
	struct str secret;
	const char *tenant;
};
bool logons_allow(struct logons *logons, const struct logon_credential *list, size_t count);

#endif
