/* host.c - the function table that plugins call: memory, reading, building, converting.
 *
 * Never does I/O and never frees: all is in the call's arena. Runs on whichever thread runs the
 * plugin's function, with that call's memory only.
 */
#include "plugin/host.h"

#include <string.h>

#include "base/crypto.h"

static struct host_call *of(kl_call *c)
{
	return (struct host_call *)(void *)c;
}

static struct arena *memory(kl_call *c)
{
	return c ? of(c)->arena : NULL;
}

static struct json *open_tree(kl_val *value)
{
	return (struct json *)(void *)value;
}

static kl_val *open_val(struct json *tree)
{
	return (kl_val *)(void *)tree;
}

static struct str to_str(kl_str s)
{
	return (struct str){s.ptr, s.ptr ? s.len : 0};
}

static kl_str to_kl(struct str s)
{
	return (kl_str){s.ptr, (uint32_t)s.len, 0};
}

static void *host_alloc(kl_call *c, uint64_t n)
{
	if (n > SIZE_MAX / 2) {
		if (c)
			arena_fail(memory(c));
		return NULL;
	}
	return arena_alloc(memory(c), (size_t)n);
}

/* ---- read --------------------------------------------------------------------------------- */

static uint32_t host_type(const kl_val *value)
{
	return json_type(host_tree(value));
}

static uint32_t host_count(const kl_val *value)
{
	return (uint32_t)json_count(host_tree(value));
}

static const kl_val *host_find(const kl_val *value, const char *path)
{
	return host_val(json_find(host_tree(value), path));
}

static const kl_val *host_at(const kl_val *value, uint32_t i, kl_str *key_or_null)
{
	struct str key;
	const struct json *found = json_at(host_tree(value), i, &key);

	if (key_or_null)
		*key_or_null = to_kl(key);
	return host_val(found);
}

static kl_str host_text(const kl_val *value)
{
	return to_kl(json_text(host_tree(value)));
}

static int64_t host_i64(const kl_val *value, int64_t otherwise)
{
	return json_i64(host_tree(value), otherwise);
}

static double host_f64(const kl_val *value, double otherwise)
{
	return json_f64(host_tree(value), otherwise);
}

/* ---- build -------------------------------------------------------------------------------- */

static kl_val *host_object(kl_call *c)
{
	return open_val(json_object(memory(c)));
}

static kl_val *host_array(kl_call *c)
{
	return open_val(json_array(memory(c)));
}

static void host_set(kl_call *c, kl_val *object, kl_str key, const kl_val *value)
{
	json_set(memory(c), open_tree(object), to_str(key), host_tree(value));
}

static void host_push(kl_call *c, kl_val *array, const kl_val *value)
{
	json_push(memory(c), open_tree(array), host_tree(value));
}

static const kl_val *host_of_text(kl_call *c, kl_str s)
{
	return s.ptr ? host_val(json_of_text(memory(c), to_str(s))) : NULL;
}

static const kl_val *host_of_i64(kl_call *c, int64_t n)
{
	return host_val(json_of_i64(memory(c), n));
}

static const kl_val *host_of_f64(kl_call *c, double d)
{
	return host_val(json_of_f64(memory(c), d));
}

static const kl_val *host_of_bool(kl_call *c, int yes)
{
	return host_val(json_of_bool(memory(c), yes != 0));
}

static const kl_val *host_of_null(kl_call *c)
{
	return host_val(json_of_null(memory(c)));
}

/* ---- convert ------------------------------------------------------------------------------ */

static const kl_val *host_from_json(kl_call *c, kl_str text)
{
	return text.ptr ? host_val(json_parse(memory(c), to_str(text), NULL)) : NULL;
}

static kl_str host_to_json(kl_call *c, const kl_val *value)
{
	return to_kl(json_print(memory(c), host_tree(value)));
}

static kl_str host_encode(kl_call *c, const char *how, kl_str s)
{
	return how && s.ptr ? to_kl(str_encode(memory(c), how, to_str(s))) : (kl_str){0, 0, 0};
}

static kl_str host_decode(kl_call *c, const char *how, kl_str s)
{
	return how && s.ptr ? to_kl(str_decode(memory(c), how, to_str(s))) : (kl_str){0, 0, 0};
}

static kl_str host_hash(kl_call *c, const char *hash, kl_str data)
{
	unsigned char digest[CRYPTO_HASH_MAX];
	struct str piece = to_str(data);
	size_t len;
	char *copy;

	if (!hash || !data.ptr)
		return (kl_str){0, 0, 0};
	len = crypto_hash(hash, &piece, 1, digest);
	copy = len ? arena_strndup(memory(c), (const char *)digest, len) : NULL;
	return (kl_str){copy, copy ? (uint32_t)len : 0, 0};
}

static const void *host_extension(const char *id)
{
	return id && strcmp(id, "kl.time/1") == 0 ? &host_time : NULL;
}

const kl_host host_table = {
	.size = sizeof(kl_host),
	.minor = KL_MINOR,
	.alloc = host_alloc,
	.type = host_type,
	.count = host_count,
	.find = host_find,
	.at = host_at,
	.text = host_text,
	.i64 = host_i64,
	.f64 = host_f64,
	.object = host_object,
	.array = host_array,
	.set = host_set,
	.push = host_push,
	.of_text = host_of_text,
	.of_i64 = host_of_i64,
	.of_f64 = host_of_f64,
	.of_bool = host_of_bool,
	.of_null = host_of_null,
	.from_json = host_from_json,
	.to_json = host_to_json,
	.encode = host_encode,
	.decode = host_decode,
	.hash = host_hash,
	.require_mac = host_require_mac,
	.require_secret = host_require_secret,
	.emit = host_emit,
	.start = host_start,
	.row = host_row,
	.checkpoint = host_checkpoint,
	.problem = host_problem,
	.log = host_log,
	.extension = host_extension,
};

struct plugin_limits host_limits(const struct plugin_limits *limits)
{
	struct plugin_limits out = limits ? *limits : (struct plugin_limits){0};

	out.memory = out.memory ? out.memory : (size_t)16 * 1024 * 1024;
	out.state = out.state ? out.state : 64 * 1024;
	out.events = out.events ? out.events : 5000;
	out.rows = out.rows ? out.rows : 20000;
	out.notes = out.notes ? out.notes : 200;
	return out;
}

void host_call_init(struct host_call *call, struct arena *arena, const struct plugin_limits *limits,
	const struct plugin_in *in, struct plugin_out *out)
{
	*out = (struct plugin_out){0};
	*call = (struct host_call){
		.arena = arena,
		.limits = host_limits(limits),
		.kind = in->kind,
		.out = out,
	};
	call->pub = (kl_call){
		.size = sizeof(kl_call),
		.attempt = in->attempt,
		.now_ms = in->now_ms,
		.seed = in->seed,
		.host = &host_table,
		.run = in->run.ptr ? arena_strndup(arena, in->run.ptr, in->run.len) : "",
	};
}
