/* function.c - normalize() of in-call functions: the agent asks something, the caller waits.
 *
 * Never takes who is calling, whom, or since when from what a language model filled in: those are
 * the signed envelope's. Never takes a question for a repeat because it was asked before in the
 * same call: a repeat is asked at the same point of it. Pure: runs on any thread. */
#include "retell.h"

enum { SOON = 200 }; /* turns */

/* ---- With "args only": from the URL ---- */

/* A parameter of the tool's URL. The vendor fills {{variables}} there, not the model. */
static kl_str from_url(const kl_inbound *in, const char *name)
{
	kl_str none = {0, 0, 0};
	kl_str s = kl_pair_get(in->query, name);
	return retell_is_placeholder(s) ? none : s;
}

/* A plus sign that the vendor put unescaped into the URL was read as a blank. */
static kl_str number_from_url(kl_call *c, const kl_inbound *in, const char *name)
{
	kl_str s = from_url(in, name);
	if (s.len < 2 || s.ptr[0] != ' ')
		return s;
	return KL_CAT(c, KL_LIT("+"), kl_slice(c, s, 1, s.len));
}

/* ---- What is asked ---- */

/* "check_availability_v17" -> "check_availability": versions of one tool are one function. */
static kl_str without_version(kl_call *c, kl_str name)
{
	uint32_t end = name.len;
	while (end && name.ptr[end - 1] >= '0' && name.ptr[end - 1] <= '9')
		end--;
	if (end == name.len || end < 3 || name.ptr[end - 1] != 'v' || name.ptr[end - 2] != '_')
		return name;
	return kl_slice(c, name, 0, end - 2);
}

struct function {
	kl_str name, call_id, tool_call_id, fingerprint;
	const kl_val *args, *call;
	int enveloped;
};

/* The default body is {name, args, call}; with "args only" it is the arguments alone. */
static int read_function(kl_call *c, const kl_inbound *in, const kl_val *body, struct function *f)
{
	const kl_val *args = c->host->find(body, "args");
	uint32_t type = c->host->type(args);
	f->call = c->host->find(body, "call");
	f->enveloped = c->host->type(f->call) == KL_OBJECT ||
		       (type == KL_OBJECT && retell_words(c, body, "name").ptr);
	f->name = f->enveloped ? retell_words(c, body, "name") : from_url(in, "name");
	if (!f->name.ptr)
		f->name = from_url(in, "name");
	if (f->enveloped && type == KL_TEXT) /* some models' arguments arrive as JSON in a text */
		args = c->host->from_json(c, c->host->text(args));
	f->args = f->enveloped ? args : body;
	if (c->host->type(f->args) != KL_OBJECT)
		f->args = c->host->object(c);
	f->fingerprint = retell_fingerprint(c, f->args);
	f->call_id = retell_real(c, f->call, "call_id");
	if (!f->enveloped) {
		f->call = NULL;
		f->call_id = from_url(in, "call_id");
	}
	if (f->call_id.len > RETELL_LONGEST_ID)
		f->call_id = (kl_str){0, 0, 0};
	return f->name.ptr != NULL;
}

/* ---- At which point of the call ---- */

static int same(kl_str a, kl_str b)
{
	return a.len == b.len && a.ptr && b.ptr && memcmp(a.ptr, b.ptr, a.len) == 0;
}

static int is_invocation(kl_call *c, const kl_val *turn, const struct function *f)
{
	return kl_eq(kl_text(c, turn, "role"), "tool_call_invocation") &&
	       same(kl_text(c, turn, "name"), f->name);
}

/* Whether the turns from there on hold the result of that invocation: soon, or never. */
static int is_answered(kl_call *c, const kl_val *turns, uint32_t from, kl_str id)
{
	for (uint32_t i = from; id.ptr && i < c->host->count(turns) && i - from < SOON; i++) {
		const kl_val *turn = c->host->at(turns, i, NULL);
		if (kl_eq(kl_text(c, turn, "role"), "tool_call_result") &&
			same(kl_text(c, turn, "tool_call_id"), id))
			return 1;
	}
	return 0;
}

/* In the transcript the arguments are JSON in a text. */
static int has_these_args(kl_call *c, const kl_val *turn, const struct function *f)
{
	const kl_val *args = c->host->from_json(c, kl_text(c, turn, "arguments"));
	return same(retell_fingerprint(c, args), f->fingerprint);
}

/* The invocation in progress: of this name and without a result. Of several (models ask two things
 * at once) the one with these arguments, else the last. Sets answered to how many of this name have
 * their result, which tells the point of the call where the transcript lacks the invocation. */
static kl_str tool_call_id(kl_call *c, const struct function *f, uint32_t *answered)
{
	kl_str last = {0, 0, 0};
	const kl_val *turns = c->host->find(f->call, "transcript_with_tool_calls");
	*answered = 0;
	for (uint32_t i = c->host->count(turns); i-- > 0;) {
		const kl_val *turn = c->host->at(turns, i, NULL);
		kl_str id = retell_words(c, turn, "tool_call_id");
		if (!is_invocation(c, turn, f))
			continue;
		if (is_answered(c, turns, i + 1, id)) {
			(*answered)++;
			continue;
		}
		if (id.ptr && has_these_args(c, turn, f))
			return id;
		if (!last.ptr)
			last = id;
	}
	return last;
}

/* What the caller has said so far, where the transcript knows of no functions. */
static int64_t caller_turns(kl_call *c, const struct function *f)
{
	static const char user[] = "User:";
	kl_str s = kl_text(c, f->call, "transcript");
	const kl_val *turns = c->host->find(f->call, "transcript_object");
	int64_t n = 0;
	if (c->host->type(turns) == KL_ARRAY) {
		for (uint32_t i = 0; i < c->host->count(turns); i++)
			n += kl_eq(kl_text(c, c->host->at(turns, i, NULL), "role"), "user");
		return n;
	}
	for (uint32_t i = 0; i + sizeof(user) - 1 <= s.len; i++)
		n += (i == 0 || s.ptr[i - 1] == '\n') &&
		     memcmp(s.ptr + i, user, sizeof(user) - 1) == 0;
	return n;
}

static kl_str point_of_call(
	kl_call *c, const kl_inbound *in, const struct function *f, uint32_t answered)
{
	const kl_val *turns = c->host->find(f->call, "transcript_with_tool_calls");
	if (f->tool_call_id.ptr)
		return f->tool_call_id;
	if (!f->enveloped)
		return from_url(in, "at");
	if (c->host->type(turns) == KL_ARRAY)
		return KL_CAT(c, KL_LIT("#"), retell_digits(c, answered));
	return KL_CAT(c, KL_LIT("~"), retell_digits(c, caller_turns(c, f)));
}

/* A retry of the vendor's carries the same call, point, name and arguments. Without a call nothing
 * tells a retry from a second caller with the same wish, so each signed request is its own. */
static kl_str function_key(
	kl_call *c, const kl_inbound *in, const struct function *f, uint32_t answered)
{
	kl_str who = f->call_id.ptr ? f->call_id : retell_signed_digits(c, in);
	return KL_CAT(c, KL_LIT("function:"), who, KL_LIT(":"), point_of_call(c, in, f, answered),
		KL_LIT(":"), f->name, KL_LIT(":"), f->fingerprint);
}

/* ---- The event ---- */

/* The transcript so far grows with every function and is of no use to an answer in 450 ms. */
static kl_val *function_call_data(kl_call *c, const kl_inbound *in, const struct function *f)
{
	kl_val *data;
	if (f->enveloped && f->call_id.ptr)
		return retell_call_facts(c, f->call, RETELL_ONGOING);
	data = c->host->object(c);
	kl_set_text(c, data, "call_id", f->call_id);
	retell_set_number(c, data, "from", "from_raw", number_from_url(c, in, "from"));
	retell_set_number(c, data, "to", "to_raw", number_from_url(c, in, "to"));
	kl_set_text(c, data, "agent", from_url(in, "agent"));
	if (f->enveloped)
		kl_set_bool(c, data, "test", 1);
	return data;
}

static kl_str who_calls(kl_call *c, const kl_inbound *in, const struct function *f)
{
	kl_str none = {0, 0, 0};
	kl_str number = f->enveloped ? retell_person(c, f->call) : number_from_url(c, in, "from");
	return retell_is_e164(number) ? number : none;
}

int retell_function(kl_call *c, const kl_inbound *in, const kl_val *body)
{
	struct function f = {0};
	struct retell_told t = {0};
	uint32_t answered;
	kl_val *data;
	if (!read_function(c, in, body, &f))
		return retell_bad(c, "name",
			"is missing: for a tool with \"args only\" put the function's "
			"name into its URL, as in /function?name=check_availability"
			"&call_id={{call_id}}&from={{user_number}}");
	f.tool_call_id = tool_call_id(c, &f, &answered);
	data = function_call_data(c, in, &f);
	kl_set_text(c, data, "name", without_version(c, f.name));
	kl_set_text(c, data, "function", f.name);
	kl_set(c, data, "args", f.args);
	kl_set_text(c, data, "tool_call_id", f.tool_call_id);
	t.type = "call.function";
	t.dedupe = function_key(c, in, &f, answered);
	t.subject = retell_subject(c, "call", f.call_id);
	t.person = who_calls(c, in, &f);
	t.at_ms = retell_happened_ms(c, in, body, 0);
	t.data = data;
	retell_tell(c, &t);
	return 0;
}
