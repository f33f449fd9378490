/* bad.c - a plugin that does, on request, what plugins must not do. The operation says what.
 *
 * Built several times: with -DVARIANT_x the file itself is broken in one way. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <klinke/sugar.h>

#ifdef VARIANT_CONSTRUCTOR_CRASH
static void __attribute__((constructor)) crash_early(void)
{
	raise(SIGSEGV);
}
#endif

#ifdef VARIANT_CONSTRUCTOR_LOOP
static void __attribute__((constructor)) loop_early(void)
{
	for (volatile unsigned i = 0;; i++)
		;
}
#endif

#ifdef VARIANT_CONSTRUCTOR_SOCKET
static void __attribute__((constructor)) call_home(void)
{
	socket(AF_INET, SOCK_STREAM, 0);
}
#endif

#ifdef VARIANT_CONSTRUCTOR_FILE
static int found;
static void __attribute__((constructor)) read_early(void)
{
	found = open("/etc/passwd", O_RDONLY);
}
#endif

#ifdef VARIANT_UNDEFINED
extern void nobody_has_this(void);
#endif

static const kl_next *end(kl_call *c, const char *how)
{
	kl_val *o = c->host->object(c);

	kl_set_text(c, o, "how", kl_s(how));
	return kl_done(c, o);
}

static const kl_next *misbehave(kl_call *c, const char *op)
{
	volatile int *volatile nowhere = 0;

	if (strcmp(op, "crash") == 0)
		*nowhere = 1;
	if (strcmp(op, "abort") == 0)
		abort();
	if (strcmp(op, "exit") == 0)
		_exit(0);
	if (strcmp(op, "loop") == 0)
		for (volatile unsigned i = 0;; i++)
			;
	if (strcmp(op, "fork") == 0)
		return end(c, fork() < 0 ? "refused" : "forked");
	if (strcmp(op, "socket") == 0)
		return end(c, socket(AF_INET, SOCK_STREAM, 0) < 0 ? "refused" : "connected");
	if (strcmp(op, "exec") == 0)
		return end(c, execl("/bin/true", "true", (char *)0) < 0 ? "refused" : "?");
	if (strcmp(op, "kill") == 0)
		return end(c, kill(getppid(), SIGTERM) < 0 ? "refused" : "killed");
	if (strcmp(op, "code") == 0)
		return end(c, mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
				      ? "refused"
				      : "mapped");
	if (strcmp(op, "open") == 0)
		return end(c, open("/etc/passwd", O_RDONLY) < 0 ? "refused" : "opened");
	if (strcmp(op, "memory") == 0) {
		for (size_t i = 0; i < 4096; i++) {
			char *volatile leak = malloc(1024 * 1024);
			if (!leak)
				return end(c, "refused");
			memset(leak, 1, 1024 * 1024);
		}
		return end(c, "got it");
	}
	if (strcmp(op, "noise") == 0) {
		(void)!write(3, "\xff\xff\xff\xff noise", 10);
		for (;;)
			(void)!write(3, "noise noise noise noise", 20);
	}
	return 0;
}

/* send_…: a request that is none. */
static void lie_in_request(kl_call *c, const char *op, kl_next *n)
{
	kl_request *r = KL_NEW(c, kl_request);
	kl_pair *pair = KL_NEW(c, kl_pair);

	if (!r || !pair)
		return;
	*r = (kl_request){
		.size = sizeof(*r), .repeat = KL_SAFE, .method = "GET", .url = KL_LIT("/")};
	*pair = (kl_pair){KL_LIT("X-A"), KL_LIT("1\r\nX-B: 2")};
	n->then = KL_SEND;
	n->request = strcmp(op, "send_nothing") == 0 ? 0 : r;
	if (strcmp(op, "send_url") == 0)
		r->url = KL_LIT("ftp://x/");
	if (strcmp(op, "send_blank") == 0)
		r->url = KL_LIT("/a b");
	if (strcmp(op, "send_repeat") == 0)
		r->repeat = 0;
	if (strcmp(op, "send_auth") == 0)
		r->auth = "nobody";
	if (strcmp(op, "send_stride") == 0)
		r->headers = (kl_list){r, 1, 4};
	if (strcmp(op, "send_null_list") == 0)
		r->headers = (kl_list){0, 3, sizeof(kl_pair)};
	if (strcmp(op, "send_split") == 0)
		r->headers = (kl_list){pair, 1, sizeof(*pair)};
}

/* event_…: events that are none, or too many. */
static void lie_in_events(kl_call *c, const char *op)
{
	kl_event *e = KL_NEW(c, kl_event);
	int many = strcmp(op, "event_many") == 0 ? 100000 : 1;

	if (!e)
		return;
	e->type = strcmp(op, "event_type") == 0 ? "not.declared" : "thing.happened";
	for (int i = 0; i < many; i++)
		c->host->emit(c, strcmp(op, "event_null") == 0 ? 0 : e);
}

static void lie_in_result(kl_call *c, const char *op, kl_next *n)
{
	if (strcmp(op, "no_result") == 0)
		n->result = 0;
	if (strcmp(op, "cycle") == 0) {
		kl_val *o = c->host->object(c), *p = c->host->object(c);
		kl_set(c, o, "p", p);
		kl_set(c, p, "o", o);
		n->result = o;
	}
	if (strcmp(op, "deep") == 0) {
		kl_val *o = c->host->array(c);
		for (int i = 0; i < 100; i++) {
			kl_val *outer = c->host->array(c);
			c->host->push(c, outer, o);
			o = outer;
		}
		kl_set(c, (kl_val *)n->result, "deep", o);
	}
	if (strcmp(op, "state") == 0) {
		char *big = c->host->alloc(c, 70000);
		memset(big, 'x', 69999);
		n->then = KL_WAIT;
		n->state = c->host->of_text(c, kl_s(big));
	}
}

static const kl_next *lie(kl_call *c, const char *op)
{
	kl_next *n = KL_NEW(c, kl_next);

	if (!n || strcmp(op, "null") == 0)
		return 0;
	n->then = KL_DONE;
	n->result = c->host->object(c);
	lie_in_result(c, op, n);
	if (strncmp(op, "send_", 5) == 0)
		lie_in_request(c, op, n);
	if (strncmp(op, "event_", 6) == 0)
		lie_in_events(c, op);
	if (strcmp(op, "alloc") == 0)
		while (c->host->alloc(c, 1024 * 1024))
			;
	if (strcmp(op, "small") == 0)
		n->size = 8;
	if (strcmp(op, "huge") == 0)
		n->size = 1u << 31;
	if (strcmp(op, "then") == 0)
		n->then = 77;
	if (strcmp(op, "absent") == 0)
		n->then = KL_ABSENT;
	if (strcmp(op, "latin") == 0) {
		n->then = KL_FAIL;
		n->fail = KL_BROKEN;
		n->message = "caf\xe9";
	}
	if (strcmp(op, "wrong_effect") == 0)
		c->host->require_secret(c, "api_key", KL_LIT("x"));
	return n;
}

static const kl_next *step(kl_call *c, const kl_step *s)
{
	const kl_next *n;

#ifdef VARIANT_UNDEFINED
	nobody_has_this();
#endif
#ifdef VARIANT_CONSTRUCTOR_FILE
	if (strcmp(s->op, "found") == 0)
		return end(c, found < 0 ? "refused" : "opened");
#endif
	if (strcmp(s->op, "fine") == 0)
		return end(c, "fine");
	n = misbehave(c, s->op);
	return n ? n : lie(c, s->op);
}

static const kl_option options[] = {{"api_key", KL_OPT_SECRET, 0, 0, 0, 0}};
static const kl_op ops[] = {
	{"fine", KL_OP_ACTION, 0, 0, 0},
#ifdef VARIANT_TWICE
	{"fine", KL_OP_ACTION, 0, 0, 0},
#endif
};
static const kl_plugin plugin = {
#ifdef VARIANT_SMALL
	.size = 16,
#else
	.size = sizeof(kl_plugin),
#endif
#ifdef VARIANT_MINOR
	.needs_minor = 99,
#endif
	.id = "test.klinke.bad",
	.version = "1.0.0",
	.summary = "Does what it must not",
	.events = "thing.happened",
	.options = KL_LIST(options),
	.ops = KL_LIST(ops),
	.step = step,
};

#if defined(VARIANT_ABI2)
KL_EXPORT const kl_plugin *klinke_plugin_v2(const kl_host *h);
const kl_plugin *klinke_plugin_v2(const kl_host *h)
{
	(void)h;
	return &plugin;
}
#elif defined(VARIANT_NO_ENTRY)
KL_EXPORT const kl_plugin *something_else(void);
const kl_plugin *something_else(void)
{
	return &plugin;
}
#elif defined(VARIANT_PROUD)
KL_EXPORT const kl_plugin *klinke_plugin_v1(const kl_host *h);
const kl_plugin *klinke_plugin_v1(const kl_host *h)
{
	return h->minor > 98 ? &plugin : 0;
}
#else
KL_PLUGIN(&plugin)
#endif
