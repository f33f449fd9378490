/* rude.c - see rude.h. One thread. */
#include "rude.h"

#include <string.h>

#define MOST_DEEDS 12
#define LONG (70 * 1024) /* more than a text may have */

static struct {
	const uint8_t *at;
	size_t left;
} source;

void rude_begin(const uint8_t *bytes, size_t len)
{
	source.at = bytes;
	source.left = len;
}

uint8_t rude_byte(void)
{
	uint8_t byte = source.left ? *source.at : 0;

	source.at += source.left > 0;
	source.left -= source.left > 0;
	return byte;
}

/* ---- Texts and values ----------------------------------------------------------------------- */

static const char *const words[] = {"a.b", "c.d", "op", "secret", "sha256", "hex", "GET", "POST",
	"/path", "https://h.example/x", "x-header", "text/plain", "", "a..b", "not.mine", "sha3"};

/* So many bytes of the input, a NUL behind them; NULL: no memory. */
static char *piece(kl_call *c, uint32_t *len)
{
	uint32_t n = rude_byte() % 32u;
	char *copy = c->host->alloc(c, n + 1);

	*len = copy ? n : 0;
	for (uint32_t i = 0; copy && i < n; i++)
		copy[i] = (char)rude_byte();
	return copy;
}

static char *long_text(kl_call *c)
{
	char *text = c->host->alloc(c, LONG + 1);

	if (text)
		memset(text, 'y', LONG);
	return text;
}

static const char *text(kl_call *c)
{
	uint8_t which = rude_byte();
	uint32_t len;

	if (which < 200)
		return words[which % (sizeof(words) / sizeof(words[0]))];
	return which < 210 ? NULL : which < 213 ? long_text(c) : piece(c, &len);
}

static kl_str str(kl_call *c)
{
	uint8_t which = rude_byte();
	kl_str s = {0, 0, 0};

	if (which < 10)
		s.len = which; /* at NULL */
	else if (which < 20)
		s = (kl_str){"", UINT32_MAX - which, 0};
	else if (which < 60)
		s = (kl_str){words[which % 16], (uint32_t)strlen(words[which % 16]), 0};
	else
		s.ptr = piece(c, &s.len);
	return s;
}

/* As long as it says: for the host's table, which trusts that. */
static kl_str sane(kl_call *c)
{
	kl_str s = str(c);

	return s.len > LONG ? (kl_str){"key", 3, 0} : s;
}

/* Of what was made or given before. */
static struct {
	const kl_val *list[8];
	kl_val *open[8];
	unsigned count;
} kept;

static const kl_val *keep(const kl_val *value, kl_val *open)
{
	unsigned i = kept.count++ % 8;

	kept.list[i] = value;
	kept.open[i] = open;
	return value;
}

static const kl_val *val(kl_call *c)
{
	const kl_host *host = c->host;
	uint8_t which = rude_byte();
	kl_val *open = NULL;

	switch (which % 11) {
	case 0:
		open = host->object(c);
		return keep(open, open);
	case 1:
		open = host->array(c);
		return keep(open, open);
	case 2:
		return keep(host->of_text(c, sane(c)), NULL);
	case 3:
		return keep(host->of_i64(c, (int64_t)rude_byte() << rude_byte() % 56), NULL);
	case 4:
		return keep(host->of_f64(c, which / 7.0), NULL);
	case 5:
		return keep(host->of_bool(c, which & 16), NULL);
	case 6:
		return keep(host->of_null(c), NULL);
	case 7:
		return keep(host->from_json(c, sane(c)), NULL);
	case 8:
		return NULL;
	default:
		return kept.list[which / 11 % 8];
	}
}

/* ---- Structs and lists ---------------------------------------------------------------------- */

/* Mostly itself; or NULL, at an odd address, or of a size that it has not. */
static const void *handed(void *from)
{
	uint8_t how = rude_byte();
	uint32_t size;

	if (!from || how < 230)
		return from;
	if (how < 238)
		return NULL;
	if (how < 246)
		return (char *)from + 1;
	size = how < 251 ? how - 246u : 5000u;
	memcpy(from, &size, sizeof(size));
	return from;
}

static void fill_str(kl_call *c, void *to)
{
	*(kl_str *)to = str(c);
}

static kl_list list(kl_call *c, void (*fill)(kl_call *, void *), uint32_t size)
{
	uint8_t how = rude_byte();
	kl_list made = {NULL, how % 5u, size};
	char *items = c->host->alloc(c, (uint64_t)(made.count + 1) * size);

	for (uint32_t i = 0; items && i < made.count; i++)
		fill(c, items + (size_t)i * size);
	made.ptr = items;
	if (!items)
		made.count = 0;
	else if (how >= 250)
		made.ptr = NULL;
	else if (how >= 245)
		made.ptr = items + 1;
	else if (how >= 240)
		made.stride = how % 5u * 3000u;
	else if (how >= 236)
		made.count = how == 236 && fill == fill_str ? 65 : 70000; /* refused unseen */
	return made;
}

static void fill_pair(kl_call *c, void *to)
{
	*(kl_pair *)to = (kl_pair){str(c), str(c)};
}

#define MADE(c, type, ...)                                                                         \
	type *made = (c)->host->alloc(c, sizeof(type) + 64);                                       \
	if (made)                                                                                  \
		*made = (type){.size = sizeof(type), __VA_ARGS__};                                 \
	return handed(made)

static const kl_mac *mac(kl_call *c)
{
	MADE(c, kl_mac, .hash = text(c), .secret = text(c),
		.pieces = list(c, fill_str, sizeof(kl_str)),
		.macs = list(c, fill_str, sizeof(kl_str)));
}

static const kl_event *event(kl_call *c)
{
	MADE(c, kl_event, .at_ms = rude_byte(), .type = text(c), .dedupe = str(c),
		.subject = str(c), .regarding = str(c), .person = str(c), .data = val(c));
}

static const kl_start *start(kl_call *c)
{
	MADE(c, kl_start, .op = text(c), .input = val(c), .dedupe = str(c), .subject = str(c));
}

static const kl_answer *answer(kl_call *c)
{
	MADE(c, kl_answer, .kind = rude_byte() % 5u, .status = rude_byte() * 3u,
		.refused = rude_byte() * 3u, .content_type = text(c), .reason = text(c),
		.body = str(c));
}

static const kl_request *request(kl_call *c)
{
	MADE(c, kl_request, .repeat = rude_byte() % 5u, .timeout_ms = rude_byte() * 1000u,
		.method = text(c), .url = str(c), .auth = text(c), .label = text(c),
		.content_type = text(c), .headers = list(c, fill_pair, sizeof(kl_pair)),
		.body = str(c));
}

static const kl_next *next(kl_call *c)
{
	MADE(c, kl_next, .then = rude_byte() % 8u, .wait_ms = (int64_t)rude_byte() * 1000 - 9000,
		.result = val(c), .state = val(c), .request = request(c), .fail = rude_byte() % 9u,
		.code = text(c), .message = text(c), .detail = val(c));
}

/* ---- What it does --------------------------------------------------------------------------- */

static void read(kl_call *c)
{
	const kl_host *host = c->host;
	const kl_val *value = val(c);
	const char *path = text(c);
	kl_str key;

	host->type(value);
	host->count(value);
	host->text(value);
	host->i64(value, 1);
	host->f64(value, 1);
	keep(host->at(value, rude_byte() % 4u, &key), NULL);
	if (path)
		keep(host->find(value, path), NULL);
	host->to_json(c, value);
	host->encode(c, text(c), sane(c));
	host->decode(c, text(c), sane(c));
	host->hash(c, text(c), (kl_str){"x", 1, 0});
}

static void build(kl_call *c)
{
	kl_val *into = kept.open[rude_byte() % 8];
	const kl_val *value = val(c);
	kl_str key = sane(c);

	if (into && rude_byte() & 1)
		c->host->push(c, into, value);
	else if (into)
		c->host->set(c, into, key, value);
}

static void many(kl_call *c)
{
	uint8_t what = rude_byte();

	for (unsigned i = 0; i < 40u; i++)
		if (what % 3 == 0)
			c->host->log(c, (int)i - 2, "again");
		else if (what % 3 == 1)
			c->host->row(c, kept.list[0]);
		else
			c->host->problem(c, "a", "again");
}

static void deed(kl_call *c)
{
	const kl_host *host = c->host;

	switch (rude_byte() % 11) {
	case 0:
		host->require_mac(c, mac(c));
		break;
	case 1:
		host->require_secret(c, text(c), str(c));
		break;
	case 2:
		host->emit(c, event(c));
		break;
	case 3:
		host->start(c, start(c));
		break;
	case 4:
		host->row(c, val(c));
		break;
	case 5:
		host->checkpoint(c, val(c));
		break;
	case 6:
		host->problem(c, text(c), text(c));
		break;
	case 7:
		host->log(c, rude_byte() - 3, text(c));
		break;
	case 8:
		many(c);
		break;
	case 9:
		read(c);
		break;
	default:
		build(c);
		break;
	}
}

static void deeds(kl_call *c, const kl_val *given)
{
	unsigned count = rude_byte() % (MOST_DEEDS + 1);

	memset(&kept, 0, sizeof(kept));
	keep(given, NULL);
	while (count--)
		deed(c);
	if (rude_byte() == 255)
		c->host->alloc(c, UINT64_MAX - 7);
}

static void check(kl_call *c, const kl_val *config)
{
	deeds(c, config);
}

static const kl_answer *verify(kl_call *c, const kl_inbound *inbound)
{
	deeds(c, inbound->config);
	return answer(c);
}

static int normalize(kl_call *c, const kl_inbound *inbound)
{
	deeds(c, inbound->config);
	return rude_byte() % 10 - 1;
}

static const kl_answer *reply(kl_call *c, const kl_reply *asked)
{
	deeds(c, asked->result);
	return answer(c);
}

static const kl_next *step(kl_call *c, const kl_step *asked)
{
	deeds(c, asked->input);
	return next(c);
}

static const kl_val *map(kl_call *c, const kl_map *asked)
{
	deeds(c, asked->context);
	return val(c);
}

const kl_plugin rude_plugin = {
	.size = sizeof(kl_plugin),
	.id = "org.example.rude",
	.version = "1.0.0",
	.check = check,
	.verify = verify,
	.normalize = normalize,
	.reply = reply,
	.step = step,
	.map = map,
};
