/* plugin_check.c - `klinke plugin check`: runs the conformance kit and prints what it finds. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "command/plugin.h"
#include "plugin/conform/conform.h"

#define CASES_MOST 256

struct printing {
	const struct invocation *in;
	struct arena *arena;
	unsigned notes;
};

/* ---- what is found ------------------------------------------------------------------------ */

/* Cases and plugins bring their own bytes: none of them may move the cursor. */
static void print_text(const char *before, const char *text, const char *after)
{
	fputs(before, stdout);
	for (; *text; text++)
		putchar(iscntrl((unsigned char)*text) ? '?' : *text);
	fputs(after, stdout);
}

static void print_json(struct arena *arena, const struct finding *f)
{
	struct json *line = json_object(arena);

	json_put_text(arena, line, "check", str_of(f->check));
	json_put_text(arena, line, "level", str_of(f->note ? "note" : "finding"));
	json_put_text(arena, line, "where", str_of(f->where));
	json_put_text(arena, line, "what", str_of(f->what));
	json_put_text(arena, line, "instead", str_of(f->instead));
	json_put_i64(arena, line, "more", f->more);
	printf("%s\n", json_print(arena, line).ptr);
	arena_reset(arena);
}

static void found(void *user, const struct finding *f)
{
	struct printing *p = user;

	p->notes += f->note;
	if (p->in->json) {
		print_json(p->arena, f);
		return;
	}
	printf("%s %s\n", f->note ? "note   " : "FINDING", f->check);
	if (*f->where)
		print_text("  where    ", f->where, "\n");
	print_text("  what     ", f->what, "");
	if (f->more)
		printf(" (and %u more times)", f->more);
	print_text("\n  instead  ", f->instead, "\n");
}

static void checked(
	void *user, const char *check, unsigned findings, uint64_t calls, const char *note)
{
	struct printing *p = user;
	char counted[40] = "";

	if (p->in->json)
		return;
	if (calls)
		snprintf(counted, sizeof(counted), "%" PRIu64 " calls", calls);
	printf("%-7s %-10s  %s%s%s\n", findings ? "not ok" : "ok", check, counted,
		calls && note ? ", " : "", note ? note : "");
	fflush(stdout);
}

/* ---- the command line --------------------------------------------------------------------- */

static bool is_check(const char *name, size_t len)
{
	for (size_t i = 0; conform_check(i); i++)
		if (strlen(conform_check(i)->name) == len &&
			strncmp(conform_check(i)->name, name, len) == 0)
			return true;
	return false;
}

static int bad_only(const struct invocation *in, const char *only)
{
	for (const char *at = only; at && *at;
		at += strcspn(at, ",") + (at[strcspn(at, ",")] == ','))
		if (!is_check(at, strcspn(at, ",")))
			return usage_error(in,
				"--only: there is no check \"%.*s\"; klinke help plugin lists them",
				(int)strcspn(at, ","), at);
	return 0;
}

static int64_t duration_ms(const char *text)
{
	char *end;
	long long n = strtoll(text, &end, 10);

	if (end == text || n <= 0 || n > 1000000)
		return -1;
	if (strcmp(end, "ms") == 0)
		return n;
	if (strcmp(end, "s") == 0 || !*end)
		return n * 1000;
	if (strcmp(end, "m") == 0)
		return n * 60000;
	return strcmp(end, "h") == 0 ? n * 3600000 : -1;
}

static int take_seed(const struct invocation *in, uint64_t *seed)
{
	const char *text = invocation_get(in, "seed");
	char *end;

	if (!text) {
		uint32_t drawn = 1;
		if (getrandom(&drawn, sizeof(drawn), 0) < 0)
			drawn = 1;
		*seed = drawn;
		return 0;
	}
	*seed = strtoull(text, &end, 10);
	return isdigit((unsigned char)*text) && !*end ? 0
						      : usage_error(in, "--seed is a whole number");
}

static int take_options(
	const struct invocation *in, struct conform_options *out, const char **cases)
{
	const char *fuzz = invocation_get(in, "fuzz");
	size_t i;

	out->path = in->args[1];
	out->cases = cases;
	for (i = 0; i < in->given_count && out->case_count < CASES_MOST; i++)
		if (strcmp(in->given[i].name, "cases") == 0)
			cases[out->case_count++] = in->given[i].value;
	for (i = 2; i < (size_t)in->count && out->case_count < CASES_MOST; i++)
		cases[out->case_count++] = in->args[i];
	out->only = invocation_get(in, "only");
	out->fuzz_ms = fuzz ? duration_ms(fuzz) : 0;
	if (out->fuzz_ms < 0)
		return usage_error(in, "--fuzz is a time as in 60s, 5m, 1h");
	if (bad_only(in, out->only))
		return EXIT_USAGE;
	return take_seed(in, &out->seed);
}

static void print_end(const struct printing *p, int findings, uint64_t seed)
{
	FILE *to = p->in->json ? stderr : stdout;

	fprintf(to, "%s: %d finding%s, %u note%s, seed %" PRIu64 "\n", p->in->args[1], findings,
		findings == 1 ? "" : "s", p->notes, p->notes == 1 ? "" : "s", seed);
}

int plugin_check(const struct invocation *in)
{
	struct printing printing = {.in = in};
	struct conform_options options = {
		.zygote = in->zygote, .found = found, .checked = checked, .user = &printing};
	const char *cases[CASES_MOST];
	struct error error = {0};
	int findings, code;

	if (in->count < 2)
		return usage_error(in, "check needs a FILE.so");
	code = take_options(in, &options, cases);
	if (code)
		return code;
	printing.arena = arena_create((size_t)1 << 20);
	findings = conform_run(&error, &options);
	arena_destroy(printing.arena);
	if (findings < 0) {
		fail(in, &error);
		return EXIT_UNAVAILABLE;
	}
	print_end(&printing, findings, options.seed);
	return findings ? EXIT_FAILED : EXIT_OK;
}
