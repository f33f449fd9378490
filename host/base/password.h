/* password.h - a password as it may stand in a file: a line that proves a guess without telling it.
 *
 *   $scrypt$ln=14,r=8,p=5$SALT$HASH        2^ln rounds, block size r, p times; base64 without =
 *
 * Making and proving one takes a good part of a second's processor time and 128 * r * 2^ln bytes,
 * on purpose: not on a thread that others wait for. Any thread; keeps nothing.
 */
#ifndef BASE_PASSWORD_H
#define BASE_PASSWORD_H

#include "base/str.h"

struct error;

#define PASSWORD_LINE 128 /* room for a line and its NUL */
#define PASSWORD_LEAST 10 /* bytes; fewer are guessed */
#define PASSWORD_MOST 1024

bool password_is_line(struct str text); /* begins as one, whatever follows */
/* NULL: it is one that password_holds() can prove. Else what is wrong with it, for a person. */
const char *password_fault(struct str line);

/* 0, or E_INVALID (too short, too long, not one line of text), E_NOMEM. */
int password_make(struct error *error, struct str password, char line[PASSWORD_LINE]);

/* False also for a line with a fault, and without memory. The comparison's time tells nothing. */
bool password_holds(struct str line, struct str guess);

#endif
