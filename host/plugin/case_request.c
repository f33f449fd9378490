/* case_request.c - the requests of a step case: compared, printed, and answered as the case says.
 * Sends nothing. One thread. */
#include "plugin/case.h"

#include <klinke/plugin.h>
#include <string.h>
#include <strings.h>

static const struct plugin_credential *credential(const struct plugin_info *info, struct str name)
{
	size_t i;

	for (i = 0; i < info->credential_count; i++)
		if (str_is(name, info->credentials[i].name))
			return &info->credentials[i];
	return NULL;
}

/* "bearer", "header:X-Key", "query:apiKey"; NULL: none. */
static const char *auth_word(struct case_run *run, struct str name)
{
	static const char *const words[] = {
		"", "bearer", "basic", "header", "query", "form", "oauth2"};
	const struct plugin_credential *c = credential(run->runner->info, name);

	if (!name.len || !c)
		return NULL;
	if (c->scheme >= KL_AUTH_HEADER && c->scheme <= KL_AUTH_FORM)
		return arena_printf(run->arena, "%s:%s", words[c->scheme], c->param);
	return words[c->scheme];
}

static struct str absolute_url(struct case_run *run, struct str url)
{
	struct str base = json_get_text(run->config, "base_url");

	if (!url.len || url.ptr[0] != '/' || !base.len)
		return url;
	if (base.ptr[base.len - 1] == '/')
		base.len--;
	return str_of(arena_printf(run->arena, "%.*s%.*s", STR_ARG(base), STR_ARG(url)));
}

static const struct json *pairs_json(struct case_run *run, struct plugin_pairs pairs)
{
	struct json *list = json_array(run->arena);
	size_t i;

	for (i = 0; i < pairs.count; i++) {
		struct json *pair = json_array(run->arena);
		json_push(run->arena, pair, json_of_text(run->arena, pairs.items[i].name));
		json_push(run->arena, pair, json_of_text(run->arena, pairs.items[i].value));
		json_push(run->arena, list, pair);
	}
	return list;
}

static const struct json *text_or_null(struct arena *arena, struct str text)
{
	return text.ptr ? json_of_text(arena, text) : json_of_null(arena);
}

static void print_line(struct case_run *run, const struct json *line)
{
	printf("%s\n", json_print(run->arena, line).ptr);
}

static void print_request(struct case_run *run, const struct plugin_request *request)
{
	struct arena *arena = run->arena;
	struct json *line = json_object(arena);

	json_put_text(arena, line, "case", run->name);
	json_put_text(arena, line, "method", request->method);
	json_put_text(arena, line, "url", absolute_url(run, request->url));
	json_put(arena, line, "headers", pairs_json(run, request->headers));
	json_put(arena, line, "auth", text_or_null(arena, str_of(auth_word(run, request->auth))));
	json_put(arena, line, "content_type", text_or_null(arena, request->content_type));
	json_put(arena, line, "body", text_or_null(arena, request->body));
	print_line(run, line);
}

/* ---- comparing ---------------------------------------------------------------------------- */

static bool has_header(const struct plugin_request *request, struct str name, struct str value)
{
	size_t i;

	for (i = 0; i < request->headers.count; i++) {
		const struct plugin_pair *pair = &request->headers.items[i];
		if (pair->name.len == name.len &&
			strncasecmp(pair->name.ptr, name.ptr, name.len) == 0 &&
			str_eq(pair->value, value))
			return true;
	}
	return false;
}

static void compare_headers(struct case_run *run, const char *place,
	const struct plugin_request *request, const struct json *expect)
{
	struct plugin_pairs pairs = case_pairs(run, expect);
	size_t i;

	for (i = 0; i < pairs.count; i++)
		if (!has_header(request, pairs.items[i].name, pairs.items[i].value))
			case_fault(run, "%s.headers: expected %.*s: %.*s, got %s", place,
				STR_ARG(pairs.items[i].name), STR_ARG(pairs.items[i].value),
				json_print(run->arena, pairs_json(run, request->headers)).ptr);
}

static struct json *request_json(struct case_run *run, const struct plugin_request *request)
{
	static const char *const repeats[] = {"?", "never", "keyed", "safe"};
	struct arena *arena = run->arena;
	struct json *actual = json_object(arena);

	json_put_text(arena, actual, "method", request->method);
	json_put_text(arena, actual, "url", request->url);
	json_put_text(arena, actual, "auth", request->auth);
	json_put_text(arena, actual, "repeat", str_of(repeats[request->repeat]));
	json_put_text(arena, actual, "label", request->label);
	json_put_text(arena, actual, "content_type", request->content_type);
	json_put_i64(arena, actual, "timeout_ms", request->timeout_ms);
	json_put_text(arena, actual, "body", request->body);
	json_put(arena, actual, "json", case_parse(run, request->body));
	return actual;
}

void case_request(struct case_run *run, size_t number, const struct plugin_request *request,
	const struct json *expect)
{
	struct json *actual = request_json(run, request);
	char place[40], inner[80];
	struct str key;
	size_t i;

	snprintf(place, sizeof(place), "request %zu", number);
	if (run->runner->print == CASE_REQUESTS)
		print_request(run, request);
	if (run->runner->told) {
		json_put(run->arena, actual, "headers", pairs_json(run, request->headers));
		run->runner->told(run, "request", actual);
		return;
	}
	if (json_type(expect) != JSON_OBJECT)
		case_fault(
			run, "%s: the exchange has no \"expect\": it would prove nothing", place);
	for (i = 0; i < json_count(expect); i++) {
		const struct json *value = json_at(expect, i, &key);
		snprintf(inner, sizeof(inner), "%s.%.*s", place, STR_ARG(key));
		if (str_is(key, "headers"))
			compare_headers(run, place, request, value);
		else
			case_compare(
				run, inner, value, json_get(actual, key.ptr), str_is(key, "json"));
	}
}

/* ---- answering ---------------------------------------------------------------------------- */

static uint32_t outcome_of(struct case_run *run, const struct json *answer)
{
	static const char *const words[] = {"answered", "not_sent", "unknown", "refused"};
	struct str word = json_get_text(answer, "outcome");
	int64_t status = json_i64(json_get(answer, "status"), 0);
	uint32_t i;

	if (!word.ptr) /* a 5xx is no answer: it may have happened all the same */
		return status >= 500 || status == 0 ? KL_UNKNOWN : KL_ANSWERED;
	for (i = 0; i < 4; i++)
		if (str_is(word, words[i]))
			return i + KL_ANSWERED;
	case_fault(run, "answer.outcome is one of answered, not_sent, unknown, refused, crash");
	return KL_UNKNOWN;
}

static void print_answer(struct case_run *run, const struct plugin_request *request,
	const struct plugin_response *response, const struct json *json)
{
	struct arena *arena = run->arena;
	struct json *line = json_object(arena);

	json_put_text(arena, line, "case", run->name);
	json_put_text(arena, line, "method", request->method);
	json_put_text(arena, line, "url", absolute_url(run, request->url));
	json_put_i64(arena, line, "status", response->status);
	json_put(arena, line, "body", json ? json : text_or_null(arena, response->body));
	print_line(run, line);
}

struct plugin_response *case_answer(
	struct case_run *run, const struct plugin_request *request, const struct json *answer)
{
	const struct json *json = json_get(answer, "json");
	struct plugin_response *response;
	struct str reason = json_get_text(answer, "reason");

	if (str_is(json_get_text(answer, "outcome"), "crash"))
		return NULL;
	response = arena_alloc(run->arena, sizeof(*response));
	if (!response)
		return NULL;
	*response = (struct plugin_response){
		.outcome = outcome_of(run, answer),
		.status = (uint32_t)json_i64(json_get(answer, "status"), 0),
		.attempts = 1,
		.retry_after_ms = json_i64(json_get(answer, "retry_after_ms"), 0),
		.headers = case_pairs(run, json_get(answer, "headers")),
		.body = json ? case_text_of(run, json) : json_get_text(answer, "body"),
	};
	if (response->outcome != KL_ANSWERED)
		response->reason = reason.ptr ? reason : STR("the case says so");
	if (run->runner->print == CASE_ANSWERS && response->status)
		print_answer(run, request, response, json);
	return response;
}
