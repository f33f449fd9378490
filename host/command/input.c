/* input.c - an operation's input as the command line gives it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "command/client.h"

#define INPUT_MAX ((size_t)16 * 1024 * 1024)

static int read_all(struct error *error, const char *path, struct buf *out)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
	char chunk[65536];
	size_t n;

	if (!file)
		return error_set(error, E_IO, "%s cannot be read: %s", path, strerror(errno));
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_add(out, chunk, n);
	if (file != stdin)
		fclose(file);
	return out->failed ? error_set(error, E_INVALID, "the input is larger than 16 MiB") : 0;
}

const struct json *client_input(struct arena *arena, const char *given, struct error *error)
{
	struct json *value = NULL;
	struct buf text;

	buf_init(&text, INPUT_MAX);
	if (given[0] != '@' && strcmp(given, "-") != 0)
		buf_add_text(&text, given);
	else
		read_all(error, given[0] == '@' ? given + 1 : given, &text);
	if (!error->code)
		value = json_parse(arena, (struct str){text.ptr, text.len}, error);
	if (value && json_type(value) != JSON_OBJECT) {
		error_set(
			error, E_INVALID, "the input must be a JSON object, like {\"uid\":\"…\"}");
		value = NULL;
	}
	buf_finish(&text);
	return value;
}
