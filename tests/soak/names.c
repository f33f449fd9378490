/* names.c - preloaded into a host under test: tells it where the vendors are, and whom to trust.
 *
 * Names below vendor.test are looked up in the file that KLINKE_NAMES names, at each question: a line
 * "NAME ADDRESS", or "NAME again" and "NAME none" for a name server that fails and one that knows of
 * no such name. The system's certificate authorities are those of KLINKE_CA. Everything else is left
 * as it is. Runs on any thread.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYSTEM_CA "/etc/ssl/certs/ca-certificates.crt"

typedef int resolve_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);
typedef FILE *open_fn(const char *, const char *);

/* As in POSIX's own example: a function's address comes out of dlsym() as that of an object. */
static void find(void *to, const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	memcpy(to, &found, sizeof(found));
}

static int ask_file(const char *name, char word[80])
{
	char line[200], asked[120];
	FILE *file = fopen(getenv("KLINKE_NAMES"), "r");
	int found = 0;

	while (file && !found && fgets(line, sizeof(line), file))
		found = sscanf(line, "%119s %79s", asked, word) == 2 && strcmp(asked, name) == 0;
	if (file)
		fclose(file);
	return found;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
	struct addrinfo **out)
{
	size_t len = name ? strlen(name) : 0;
	resolve_fn *real;
	char word[80];

	find(&real, "getaddrinfo");
	if (len < 12 || strcmp(name + len - 12, ".vendor.test") != 0)
		return real(name, service, hints, out);
	if (!ask_file(name, word) || strcmp(word, "none") == 0)
		return EAI_NONAME;
	if (strcmp(word, "again") == 0)
		return EAI_AGAIN;
	return real(word, service, hints, out);
}

static FILE *open_as(const char *function, const char *path, const char *mode)
{
	const char *ca = getenv("KLINKE_CA");
	open_fn *real;

	find(&real, function);
	return real(ca && strcmp(path, SYSTEM_CA) == 0 ? ca : path, mode);
}

FILE *fopen(const char *path, const char *mode)
{
	return open_as("fopen", path, mode);
}

FILE *fopen64(const char *path, const char *mode)
{
	return open_as("fopen64", path, mode);
}
