/* doctor.h - what checks of the doctor share. */
#ifndef COMMAND_DOCTOR_H
#define COMMAND_DOCTOR_H

#include "command/command.h"
#include "config/config.h"

struct arena;
struct json;

enum finding { FINDING_OK, FINDING_WARN, FINDING_FAIL };

struct doctor {
	const struct invocation *in;
	struct arena *arena;
	const char *state;     /* NULL: not known, and nothing that needs it is checked */
	struct config *config; /* NULL: faults */
	bool running;          /* a host answers */
	struct json *list;     /* with --json */
	enum finding worst;
};

/* One line, and below it what to do about it; remedy NULL: nothing. */
void doctor_say(struct doctor *d, enum finding finding, const char *name, const char *remedy,
	const char *format, ...) __attribute__((format(printf, 5, 6)));

/* doctor_store.c: schema, keys, pages, copies, what waits for a person. */
void doctor_store(struct doctor *d);

#endif
