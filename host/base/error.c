/* error.c - fills struct error. Never allocates, so that "no memory" can be told too. Any thread.
 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A sentence that was cut must still be UTF-8: logs and JSON carry it on. */
static void trim_partial(char *text)
{
	size_t len = strlen(text), start = len, need;
	unsigned char lead;

	while (start && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (!start)
		return;
	lead = (unsigned char)text[start - 1];
	need = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
	if (len - start < need)
		text[start - 1] = '\0';
}

static int fill(struct error *error, int code, const char *place, const char *format, va_list args)
{
	if (!error)
		return code;
	error->code = code;
	vsnprintf(error->text, sizeof(error->text), format, args);
	trim_partial(error->text);
	snprintf(error->place, sizeof(error->place), "%s", place ? place : "");
	trim_partial(error->place);
	return code;
}

int error_set(struct error *error, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill(error, code, NULL, format, args);
	va_end(args);
	return code;
}

int error_at(struct error *error, int code, const char *place, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill(error, code, place, format, args);
	va_end(args);
	return code;
}

const char *error_name(int code)
{
	static const char *const names[] = {
		"no error",
		"no memory",
		"input/output error",
		"invalid",
		"not found",
		"conflict",
		"busy",
		"corrupt",
		"denied",
		"timeout",
		"closed",
		"taken",
	};

	if (code > 0 || code <= -(int)(sizeof(names) / sizeof(*names)))
		return "unknown error";
	return names[-code];
}
