/* error.h - what went wrong, for a person: which class, one sentence, the place. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

enum error_code { /* functions return 0 or one of these, negative */
	E_NOMEM = -1,
	E_IO = -2,       /* disk, socket: errno is in the sentence */
	E_INVALID = -3,  /* input that can never work */
	E_NOTFOUND = -4,
	E_CONFLICT = -5, /* exists already, or changed meanwhile */
	E_BUSY = -6,     /* later again */
	E_CORRUPT = -7,  /* stored bytes are not what they must be */
	E_DENIED = -8,
	E_TIMEOUT = -9,
	E_CLOSED = -10,  /* the other side is gone */
	E_TAKEN = -11    /* somebody else has it: a time that is held */
};

struct error { /* {0} is no error. Callers may pass NULL when they do not care */
	int code;
	char text[480]; /* what is wrong and what to do about it; no secrets, no personal data */
	char place[200]; /* "office.ini:12:9", "connection phone"; may be empty */
};

/* Sets and returns code, so that `return error_set(...)` reads well. */
int error_set(struct error *error, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int error_at(struct error *error, int code, const char *place, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
const char *error_name(int code); /* "not found" */

#endif
