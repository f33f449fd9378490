/* check.c - what is wrong with the declarations: every fault, with its key and what to write
 * instead.
 *
 * Nothing that could only fail at night is let through: templates and conditions are read here as
 * they will be read then. Runs when a configuration is loaded. A pure function.
 */
#include "http.h"

enum form { TEXT = 1, CONDITION, JSON, OBJECT, HEADERS, POINTER, WORD, DURATION, NUMBER, LINE };

struct rule {
	const char *key;
	uint32_t form;
};

/* What stands after op.NAME and poll.NAME. "": the line itself. */
static const struct rule op_rules[] = {{"", LINE}, {"query", OBJECT}, {"headers", HEADERS},
	{"json", JSON}, {"form", OBJECT}, {"text", TEXT}, {"type", WORD}, {"repeat", WORD},
	{"done", CONDITION}, {"result", OBJECT}, {"items", POINTER}, {"row", JSON},
	{"more", CONDITION}, {"cursor", TEXT}, {"next", TEXT}, {"pages", NUMBER},
	{"unsent", CONDITION}, {"lookup", LINE}, {"lookup.query", OBJECT},
	{"lookup.headers", HEADERS}, {"lookup.items", POINTER}, {"lookup.done", CONDITION},
	{"lookup.found", CONDITION}, {"lookup.absent", CONDITION}, {"lookup.result", OBJECT},
	{"lookup.more", CONDITION}, {"lookup.cursor", TEXT}, {"lookup.next", TEXT},
	{"lookup.pages", NUMBER}, {0, 0}};
static const struct rule poll_rules[] = {{"", LINE}, {"query", OBJECT}, {"headers", HEADERS},
	{"done", CONDITION}, {"items", POINTER}, {"more", CONDITION}, {"cursor", TEXT},
	{"next", TEXT}, {"pages", NUMBER}, {"mark", TEXT}, {"order", WORD}, {"first", WORD},
	{"lookback", DURATION}, {"overlap", DURATION}, {"dedupe", TEXT}, {"subject", TEXT},
	{"person", TEXT}, {"regarding", TEXT}, {"at", TEXT}, {"data", OBJECT}, {0, 0}};
/* Options of the plugin that hold templates or conditions. */
static const struct rule plain_rules[] = {{"headers", HEADERS}, {"done", CONDITION},
	{"error.code", TEXT}, {"error.message", TEXT}, {"hook.format", TEXT}, {"hook.signed", TEXT},
	{"hook.handshake", CONDITION}, {"hook.challenge", TEXT}, {"hook.handshake_token", TEXT},
	{"hook.items", POINTER}, {"hook.dedupe", TEXT}, {"hook.subject", TEXT},
	{"hook.person", TEXT}, {"hook.regarding", TEXT}, {"hook.at", TEXT}, {"hook.data", OBJECT},
	{0, 0}};

enum { MOST_TOLD = 100 }; /* of a file that is all wrong a hundred faults are enough */

struct check {
	kl_call *c;
	const kl_val *config;
	uint32_t told;
};

static void tell(struct check *check, kl_str key, kl_str sentence)
{
	if (key.ptr && sentence.ptr && check->told++ < MOST_TOLD)
		check->c->host->problem(check->c, key.ptr, sentence.ptr);
}

static kl_str config_text(struct check *check, kl_str key)
{
	return check->c->host->text(
		http_find(check->c, check->config, KL_CAT(check->c, KL_LIT("/"), key)));
}

static int is_set(struct check *check, const char *key)
{
	uint32_t type = check->c->host->type(
		http_find(check->c, check->config, KL_CAT(check->c, KL_LIT("/"), kl_s(key))));

	return type != KL_NONE && type != KL_NULL;
}

/* ---- single values ----------------------------------------------------------------------------
 */

static int is_token(kl_str s)
{
	for (uint32_t i = 0; i < s.len; i++)
		if (s.ptr[i] <= 0x20 || s.ptr[i] >= 0x7f ||
			memchr("\"(),/:;<=>?@[\\]{}", s.ptr[i], 17))
			return 0;
	return s.len > 0;
}

static uint32_t blank_at(kl_str s)
{
	uint32_t i = 0;

	while (i < s.len && s.ptr[i] != ' ')
		i++;
	return i;
}

/* "POST /v1/things/{id}" */
static const char *line_fault(kl_call *c, kl_str value)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"};
	uint32_t blank = blank_at(value);
	kl_str method = kl_slice(c, value, 0, blank), url = {0, 0, 0};
	int known = 0;

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		known |= kl_eq(method, methods[i]);
	if (blank < value.len)
		url = kl_slice(c, value, blank + 1, value.len);
	if (!known || !url.len || url.ptr[0] != '/')
		return "must be a method and a path below base_url, like POST /v1/things/{id}";
	for (uint32_t i = 0; i < url.len; i++)
		if ((unsigned char)url.ptr[i] <= 0x20 || (unsigned char)url.ptr[i] >= 0x7f)
			return "has a blank or another character that an address cannot have; "
			       "write %20";
	return http_text_fault(c, url);
}

static const char *json_fault(kl_call *c, kl_str value, int object)
{
	const kl_val *json = c->host->from_json(c, value);

	if (!json)
		return "is not JSON; a placeholder stands in quotes, {\"amount\": \"{amount}\"}";
	if (object && c->host->type(json) != KL_OBJECT)
		return "must be a JSON object, {\"name\": \"{value}\"}";
	return http_shape_fault(c, json);
}

static int same_word(kl_str a, const char *lower)
{
	for (uint32_t i = 0; i < a.len; i++) {
		char c = a.ptr[i];
		if (!lower[i] || (c >= 'A' && c <= 'Z' ? c + 32 : c) != lower[i])
			return 0;
	}
	return !lower[a.len];
}

/* What is written in a template is no secret: it reaches plugins and snapshots. */
static int is_credential(kl_str name)
{
	return same_word(name, "authorization") || same_word(name, "proxy-authorization") ||
	       same_word(name, "cookie");
}

static const char *headers_fault(kl_call *c, kl_str value)
{
	const char *fault = json_fault(c, value, 1);
	const kl_val *json = c->host->from_json(c, value);

	for (uint32_t i = 0; !fault && i < c->host->count(json); i++) {
		kl_str name;
		c->host->at(json, i, &name);
		if (!is_token(name))
			fault = "has a name that no header can have";
		else if (is_credential(name))
			fault = "holds a credential; a secret never stands in a template, use auth "
				"and token (or user and password)";
	}
	return fault;
}

static int is_printable(kl_str s)
{
	for (uint32_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] < 0x20 || (unsigned char)s.ptr[i] > 0x7e)
			return 0;
	return s.len > 0;
}

static const char *value_fault(kl_call *c, uint32_t form, kl_str value)
{
	if (form == LINE)
		return line_fault(c, value);
	if (form == HEADERS)
		return headers_fault(c, value);
	if (form == WORD && !is_printable(value))
		return "is empty, or has characters that do not belong there";
	if (form == JSON || form == OBJECT)
		return json_fault(c, value, form == OBJECT);
	if (form == CONDITION)
		return http_condition_fault(c, value);
	if (form == TEXT)
		return http_text_fault(c, value);
	if (form == POINTER && (!value.len || value.ptr[0] != '/'))
		return "must be a JSON pointer, /data/items; / is the whole of it";
	if (form == DURATION && http_duration(value) < 0)
		return "must be a duration like 30s, 10m, 2h, 1d";
	if (form == NUMBER && c->host->i64(c->host->from_json(c, value), 0) < 1)
		return "must be a number from 1 on";
	return 0;
}

/* ---- keys of operations and polls
 * ------------------------------------------------------------------ */

static const struct rule *find_rule(const struct rule *rules, kl_str key)
{
	for (; rules->key; rules++)
		if (kl_eq(key, rules->key))
			return rules;
	return 0;
}

static kl_str known_keys(kl_call *c, const struct rule *rules)
{
	kl_str out = KL_LIT("");

	for (; rules->key; rules++)
		if (*rules->key)
			out = KL_CAT(c, out, kl_s(rules->key), KL_LIT(", "));
	return out;
}

static int is_rule_of_failure(kl_call *c, kl_str rest, kl_str *word)
{
	uint32_t skip = kl_starts(rest, "lookup.fail.") ? 12 : kl_starts(rest, "fail.") ? 5 : 0;

	*word = kl_slice(c, rest, skip, rest.len);
	return skip != 0;
}

static void check_failure(struct check *check, kl_str key, kl_str word, kl_str value)
{
	if (!http_class(word))
		tell(check, key,
			KL_LIT("names no class; there are bad_input, bad_auth, busy, broken, gone, "
			       "conflict, surprise"));
	tell(check, key, kl_s(http_condition_fault(check->c, value)));
}

/* key "op.create.query": declared is "op.create", rest "query" */
static void check_declared(
	struct check *check, kl_str key, kl_str value, const struct rule *rules, uint32_t prefix)
{
	kl_call *c = check->c;
	uint32_t dot = prefix;
	kl_str rest, declared, word;
	const struct rule *rule;

	while (dot < key.len && key.ptr[dot] != '.')
		dot++;
	declared = kl_slice(c, key, 0, dot);
	rest = kl_slice(c, key, dot < key.len ? dot + 1 : dot, key.len);
	if (!http_find(c, check->config, KL_CAT(c, KL_LIT("/"), declared)))
		tell(check, key,
			KL_CAT(c, KL_LIT("belongs to nothing: write "), declared,
				KL_LIT(" = METHOD /path first")));
	rule = find_rule(rules, rest);
	if (is_rule_of_failure(c, rest, &word))
		check_failure(check, key, word, value);
	else if (!rule)
		tell(check, key,
			KL_CAT(c, KL_LIT("is no key of an operation or poll; there are "),
				known_keys(c, rules), KL_LIT("fail.CLASS")));
	else
		tell(check, key, kl_s(value_fault(c, rule->form, value)));
}

/* ---- what belongs together
 * --------------------------------------------------------------------------- */

static int has(const struct http_decl *decl, const char *key)
{
	return http_key(decl, key).ptr != 0;
}

static int is_safe(const struct http_decl *decl)
{
	kl_str repeat = http_key(decl, "repeat");

	return kl_eq(repeat, "safe") || (!repeat.ptr && kl_starts(http_key(decl, ""), "GET "));
}

static void check_repeat(struct check *check, const struct http_decl *decl)
{
	kl_str repeat = http_key(decl, "repeat"),
	       key = KL_CAT(check->c, decl->prefix, KL_LIT(".repeat"));

	if (!repeat.ptr || kl_eq(repeat, "never") || kl_eq(repeat, "safe") || kl_eq(repeat, "key"))
		return;
	if (!kl_starts(repeat, "key ") || !is_token(kl_slice(check->c, repeat, 4, repeat.len)))
		tell(check, key,
			KL_LIT("must be never, safe, key (placed by {$key}), or key and a header's "
			       "name, like key Idempotency-Key"));
}

static void check_lookup(struct check *check, const struct http_decl *decl)
{
	kl_call *c = check->c;
	kl_str key = KL_CAT(c, decl->prefix, KL_LIT(".lookup"));

	if (!has(decl, "lookup"))
		return;
	if (!kl_starts(http_key(decl, "lookup"), "GET "))
		tell(check, key, KL_LIT("only looks, so it must be a GET"));
	if (!has(decl, "lookup.found"))
		tell(check, key,
			KL_CAT(c, KL_LIT("needs "), key,
				KL_LIT(".found = a condition that only what was sent fulfils, like "
				       "/metadata/key = {$key}")));
}

static void check_op(struct check *check, kl_str name)
{
	struct http_decl decl = {check->c, check->config, name};
	int bodies = has(&decl, "json") + has(&decl, "form") + has(&decl, "text");

	check_repeat(check, &decl);
	check_lookup(check, &decl);
	if (bodies > 1)
		tell(check, name, KL_LIT("has more than one of json, form and text; keep one"));
	if (bodies && kl_starts(http_key(&decl, ""), "GET "))
		tell(check, name, KL_LIT("is a GET, which has no body; use query"));
	if ((has(&decl, "next") || has(&decl, "cursor")) &&
		(!is_safe(&decl) || !has(&decl, "items")))
		tell(check, name,
			KL_LIT("reads several pages, so it must be a GET (or repeat = safe) and "
			       "say items"));
	if (has(&decl, "row") && !has(&decl, "items"))
		tell(check, name, KL_LIT("has row, but no items that the rows are made of"));
}

static void check_word(struct check *check, const struct http_decl *decl, const char *key,
	const char *one, const char *other)
{
	kl_call *c = check->c;
	kl_str value = http_key(decl, key);

	if (value.ptr && !kl_eq(value, one) && !kl_eq(value, other))
		tell(check, KL_CAT(c, decl->prefix, KL_LIT("."), kl_s(key)),
			KL_CAT(c, KL_LIT("must be "), kl_s(one), KL_LIT(" or "), kl_s(other)));
}

static void check_poll(struct check *check, kl_str name)
{
	struct http_decl decl = {check->c, check->config, name};

	if (!kl_starts(http_key(&decl, ""), "GET "))
		tell(check, name, KL_LIT("only reads, so it must be a GET"));
	if (!has(&decl, "items"))
		tell(check, name, KL_LIT("needs items, the pointer to the list in the answer"));
	if (!http_shared(&decl, "dedupe").len)
		tell(check, name,
			KL_LIT("needs dedupe (or hook.dedupe), the item's own id: polls overlap, "
			       "and repeats are known by it"));
	if (has(&decl, "mark") && (has(&decl, "lookback") || has(&decl, "overlap")))
		tell(check, name, KL_LIT("goes by mark or by time (lookback, overlap), not both"));
	check_word(check, &decl, "order", "newest", "oldest");
	check_word(check, &decl, "first", "mark", "all");
}

/* ---- webhook, credentials
 * ------------------------------------------------------------------------------- */

static void check_signed(struct check *check)
{
	kl_str format = config_text(check, KL_LIT("hook.format"));
	kl_str content = config_text(check, KL_LIT("hook.signed"));
	int timed = is_set(check, "hook.time") || kl_contains(format, "{$time}");

	if (!kl_contains(content, "{$body}"))
		tell(check, KL_LIT("hook.signed"),
			KL_LIT("must contain {$body}, or the signature would prove nothing of it"));
	if (!kl_contains(format, "{$signature}"))
		tell(check, KL_LIT("hook.format"), KL_LIT("must contain {$signature}"));
	if (kl_contains(content, "{$time}") != timed)
		tell(check, KL_LIT("hook.signed"),
			KL_LIT("and hook.format (or hook.time) must both name {$time}, or neither: "
			       "a time that is not signed proves nothing"));
}

static void check_hook(struct check *check)
{
	kl_str how = config_text(check, KL_LIT("hook.verify"));
	int mac = kl_starts(how, "hmac-");

	if (!how.ptr)
		return;
	if (!kl_eq(how, "none") && !is_set(check, "webhook_secret"))
		tell(check, KL_LIT("hook.verify"), KL_LIT("needs webhook_secret"));
	if ((mac || kl_eq(how, "header")) && !is_token(config_text(check, KL_LIT("hook.header"))))
		tell(check, KL_LIT("hook.verify"),
			KL_LIT("needs hook.header, the name of the header to look at"));
	if (kl_eq(how, "query") && !is_set(check, "hook.query"))
		tell(check, KL_LIT("hook.verify"),
			KL_LIT("needs hook.query, the name of the parameter to look at"));
	if (!is_set(check, "hook.dedupe"))
		tell(check, KL_LIT("hook.verify"),
			KL_LIT("needs hook.dedupe, the event's own id, like {/id}: webhooks come "
			       "again. {$fingerprint} is for vendors that send no id"));
	if (mac)
		check_signed(check);
}

static void check_handshake(struct check *check)
{
	if (is_set(check, "hook.handshake") != is_set(check, "hook.challenge"))
		tell(check, KL_LIT("hook.handshake"),
			KL_LIT("and hook.challenge belong together: when, and what is answered"));
	if (is_set(check, "hook.handshake_token") && !is_set(check, "verify_token"))
		tell(check, KL_LIT("hook.handshake_token"), KL_LIT("needs verify_token"));
}

static void check_auth(struct check *check)
{
	kl_str auth = config_text(check, KL_LIT("auth"));
	int named = kl_eq(auth, "header") || kl_eq(auth, "query") || kl_eq(auth, "form");

	if ((named || kl_eq(auth, "bearer")) && !is_set(check, "token"))
		tell(check, KL_LIT("auth"), KL_LIT("needs token"));
	if (kl_eq(auth, "basic") && (!is_set(check, "user") || !is_set(check, "password")))
		tell(check, KL_LIT("auth"), KL_LIT("basic needs user and password"));
	if (named && !is_token(config_text(check, KL_LIT("auth_name"))))
		tell(check, KL_LIT("auth"),
			KL_LIT("needs auth_name, the name of the header, parameter or field"));
}

/* ---- all of it
 * -------------------------------------------------------------------------------------------- */

/* Without a dot after "op.": the line that declares it. */
static int declares(kl_str key, uint32_t prefix)
{
	return key.len > prefix && !memchr(key.ptr + prefix, '.', key.len - prefix);
}

static int is_nameless(kl_str key)
{
	return kl_eq(key, "op.") || kl_eq(key, "poll.") || kl_eq(key, "event.");
}

static void check_key(struct check *check, kl_str key, kl_str value)
{
	const struct rule *plain = find_rule(plain_rules, key);

	if (is_nameless(key)) {
		tell(check, key, KL_LIT("declares nothing: a name belongs behind the dot"));
	} else if (plain) {
		tell(check, key, kl_s(value_fault(check->c, plain->form, value)));
	} else if (kl_starts(key, "op.")) {
		check_declared(check, key, value, op_rules, 3);
		if (declares(key, 3))
			check_op(check, key);
	} else if (kl_starts(key, "poll.")) {
		check_declared(check, key, value, poll_rules, 5);
		if (declares(key, 5))
			check_poll(check, key);
	} else if (kl_starts(key, "event.")) {
		tell(check, key, kl_s(http_condition_fault(check->c, value)));
	} else if (kl_starts(key, "fail.")) {
		check_failure(check, key, kl_slice(check->c, key, 5, key.len), value);
	}
}

static int is_option(kl_str key)
{
	static const char *const others[] = {"base_url", "auth", "token", "user", "password",
		"auth_name", "webhook_secret", "verify_token", "hook.verify", "hook.header",
		"hook.query", "hook.encoding", "hook.time", "hook.tolerance", "hook.body"};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (kl_eq(key, others[i]))
			return 1;
	return find_rule(plain_rules, key) || kl_starts(key, "op.") || kl_starts(key, "poll.") ||
	       kl_starts(key, "event.") || kl_starts(key, "fail.");
}

void http_check(kl_call *c, const kl_val *config)
{
	struct check check = {c, config, 0};

	for (uint32_t i = 0; i < c->host->count(config); i++) {
		kl_str key;
		const kl_val *value = c->host->at(config, i, &key);
		if (kl_starts(key, "hook.") && !is_option(key))
			tell(&check, key,
				KL_LIT("is no key of the webhook; \"klinke plugin info http\" "
				       "lists them"));
		else if (!is_option(key))
			tell(&check, key,
				KL_LIT("is not known here; declarations begin with op., poll., "
				       "event. or fail."));
		else
			check_key(&check, key, c->host->text(value));
	}
	check_auth(&check);
	check_hook(&check);
	check_handshake(&check);
}
