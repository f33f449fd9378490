/* url.c - the two helpers of transfer.h that read URLs. They never decide where a request goes:
 * that is done with the parts libcurl itself made of the URL (attempt.c). */
#include "transfer/transfer.h"

#include "base/arena.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>

static const char *port_part(CURLU *parts)
{
	char *port = NULL;

	if (curl_url_get(parts, CURLUPART_PORT, &port, 0))
		return NULL;
	return port;
}

struct str transfer_host(struct arena *arena, struct str url)
{
	struct str out = {NULL, 0};
	CURLU *parts = curl_url();
	char *text = arena_strndup(arena, url.ptr ? url.ptr : "", url.len);
	char *host = NULL;

	if (parts && text && strlen(text) == url.len &&
		!curl_url_set(parts, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) &&
		!curl_url_get(parts, CURLUPART_HOST, &host, 0)) {
		char *port = (char *)port_part(parts);

		out = str_of(
			arena_printf(arena, "%s%s%s", host, port ? ":" : "", port ? port : ""));
		curl_free(port);
	}
	curl_free(host);
	curl_url_cleanup(parts);
	return out;
}

static bool contains(struct str text, const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i + len <= text.len; i++) {
		if (!strncasecmp(text.ptr + i, word, len))
			return true;
	}
	return false;
}

/* Rather one too many: a masked page number is a nuisance, a shown key is an incident. */
static bool looks_secret(struct str name, struct str extra)
{
	static const char *const words[] = {"key", "token", "secret", "passw", "pwd", "sig", "auth",
		"credential", "session", "email", "phone", "%"};

	if (extra.len && str_eq(name, extra))
		return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (contains(name, words[i]))
			return true;
	}
	return false;
}

/* Copies in and out walk together; out is never longer than in plus what the marks add. */
static char *redact_query(char *out, struct str query, struct str extra)
{
	const char *at = query.ptr, *end = query.ptr + query.len;

	while (at < end) {
		const char *stop = memchr(at, '&', (size_t)(end - at));
		stop = stop ? stop : end;
		const char *equals = memchr(at, '=', (size_t)(stop - at));
		size_t keep = (size_t)(stop - at);

		if (equals && looks_secret((struct str){at, (size_t)(equals - at)}, extra)) {
			keep = (size_t)(equals + 1 - at);
			memcpy(out, at, keep);
			memcpy(out + keep, "***", 3);
			out += 3;
		} else {
			memcpy(out, at, keep);
		}
		out += keep;
		if (stop < end)
			*out++ = '&';
		at = stop < end ? stop + 1 : end;
	}
	return out;
}

static const char *redact_authority(char **out, const char *at, const char *end)
{
	const char *colon = memchr(at, ':', (size_t)(end - at));

	if (!colon || end - colon < 3 || colon[1] != '/' || colon[2] != '/')
		return at;
	const char *host = colon + 3, *stop = host, *user_end = NULL;
	for (; stop < end && *stop != '/' && *stop != '?' && *stop != '#'; stop++) {
		if (*stop == '@')
			user_end = stop;
	}
	memcpy(*out, at, (size_t)(host - at));
	*out += host - at;
	if (user_end) {
		memcpy(*out, "***", 3);
		*out += 3;
		host = user_end;
	}
	memcpy(*out, host, (size_t)(stop - host));
	*out += stop - host;
	return stop;
}

const char *transfer_redact(struct arena *arena, struct str url, struct str extra)
{
	if (!url.ptr)
		return "";
	/* Each "***" needs an '=' or '@' before it, so three more per byte can never be short; only
	 * those bytes count, so that a long path costs no more than itself. */
	size_t room = url.len + 1;
	for (size_t i = 0; i < url.len; i++)
		room += url.ptr[i] == '=' || url.ptr[i] == '@' ? 3 : 0;
	char *text = arena_take(arena, room);
	if (!text)
		return NULL;
	const char *end = url.ptr + url.len;
	const char *fragment = memchr(url.ptr, '#', url.len);
	if (fragment)
		end = fragment; /* never sent, so it is no part of what happened */
	char *out = text;
	const char *at = redact_authority(&out, url.ptr, end);
	const char *query = memchr(at, '?', (size_t)(end - at));
	size_t path = (size_t)((query ? query + 1 : end) - at);
	memcpy(out, at, path);
	out += path;
	if (query)
		out = redact_query(out, (struct str){query + 1, (size_t)(end - query - 1)}, extra);
	*out = '\0';
	return text;
}
