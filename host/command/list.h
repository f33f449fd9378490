/* list.h - tables of rows for people. */
#ifndef COMMAND_LIST_H
#define COMMAND_LIST_H

#include "command/command.h"

struct json;

/* Columns are members of the rows; the last one is not padded. Ends with NULL. */
void list_table(const struct json *rows, const char *const *columns);

/* Asks for the rows of a verb and prints them; nothing: what to say when there are none. Returns
 * the exit code. */
int list_rows(const struct invocation *in, const char *verb, const char *const *columns,
	const char *nothing);

#endif
