/* rogue.c - a plugin that works, and now and then does what plugins must not. Its options say what,
 * in which function, and how often.
 *
 *   mode    what it does, see below
 *   where   verify, normalize, step or check
 *   every   at each such call of a worker; 0: never
 *
 * Whatever the options, a body or an input with the word "poison" makes it do it. A webhook is
 * {"id":…}, which becomes the event thing.happened; the operation act gives back its input.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <klinke/sugar.h>

static int64_t calls[4]; /* of this worker, by function: what a pure plugin would not have */

static int has(kl_str text, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= text.len; i++)
		if (memcmp(text.ptr + i, word, n) == 0)
			return 1;
	return 0;
}

/* ---- What kills -------------------------------------------------------------------------------
 */

static void crash(void)
{
	volatile int *volatile nowhere = 0;

	*nowhere = 1;
}

static void loop(void)
{
	for (volatile unsigned i = 0;; i++)
		;
}

/* Nobody looks at what malloc says, in programs that leak. */
static void leak(void)
{
	for (;;)
		memset(malloc(1024 * 1024), 1, 1024 * 1024);
}

static void bomb(void)
{
	for (;;)
		fork();
}

static void call_home(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)!write(fd, "secrets", 7);
}

static void write_file(void)
{
	open("/tmp/rogue", O_RDWR | O_CREAT, 0600);
}

static void run_program(void)
{
	execl("/bin/true", "true", (char *)0);
}

static void kill_host(void)
{
	kill(getppid(), SIGKILL);
	kill(-1, SIGKILL);
}

static void noise(void)
{
	for (;;)
		(void)!write(3, "\xff\xff\xff\xffnoise", 9);
}

static void patch(void)
{
	mprotect((void *)((uintptr_t)&patch & ~(uintptr_t)4095), 4096,
		PROT_READ | PROT_WRITE | PROT_EXEC);
}

static void overflow(void)
{
	for (;;)
		memset(__builtin_alloca(65536), 1, 65536);
}

static void leave(void)
{
	_exit(0);
}

static const struct {
	const char *mode;
	void (*act)(void);
} deadly[] = {{"crash", crash}, {"abort", abort}, {"exit", leave}, {"loop", loop}, {"leak", leak},
	{"bomb", bomb}, {"socket", call_home}, {"write", write_file}, {"exec", run_program},
	{"kill", kill_host}, {"noise", noise}, {"patch", patch}, {"overflow", overflow}};

/* ---- What lies: true if the call is to give back this -----------------------------------------
 */

static const void *lie(kl_call *c, const char *mode)
{
	static const kl_answer small = {.size = 4, .kind = KL_ACCEPT};
	static const kl_answer large = {.size = UINT32_MAX, .kind = KL_ACCEPT};
	static kl_event event = {.size = sizeof(event), .type = "thing.happened"};
	kl_val *o = c->host->object(c);

	event.dedupe = KL_LIT("lie");
	event.subject = KL_LIT("thing:lie");
	event.data = o;
	if (strcmp(mode, "file") == 0 && open("/etc/passwd", O_RDONLY) < 0)
		return 0;
	if (strcmp(mode, "sizes") == 0)
		event.size = 8;
	if (strcmp(mode, "large") == 0)
		event.size = UINT32_MAX;
	if (strcmp(mode, "nulls") == 0)
		event.data = 0;
	if (strcmp(mode, "utf8") == 0)
		kl_set_text(c, o, "name", kl_s("caf\xe9"));
	if (strcmp(mode, "huge") == 0)
		for (int i = 0; i < 100000; i++)
			c->host->emit(c, &event);
	if (strcmp(mode, "alloc") == 0)
		while (c->host->alloc(c, 1024 * 1024))
			;
	if (strcmp(mode, "type") == 0)
		event.type = "nobody.declared.this";
	c->host->emit(c, &event);
	return strcmp(mode, "large") == 0 ? &large : &small;
}

static const void *misbehave(kl_call *c, const kl_val *config, const char *where, kl_str text)
{
	static const char *const places[] = {"verify", "normalize", "step", "check"};
	kl_str mode = kl_text(c, config, "mode");
	kl_str often = kl_text(c, config, "every"); /* a text, as every option */
	long long every = often.ptr ? strtoll(often.ptr, 0, 10) : 0;
	char name[20] = "";
	size_t place = 0;

	while (strcmp(places[place], where) != 0)
		place++;
	if (!kl_eq(kl_text(c, config, "where"), where) ||
		(!has(text, "poison") && (!every || ++calls[place] % every != 0)))
		return 0;
	memcpy(name, mode.ptr, mode.len < sizeof(name) ? mode.len : sizeof(name) - 1);
	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
		if (strcmp(name, deadly[i].mode) == 0)
			deadly[i].act();
	return lie(c, name);
}

/* ---- What it is for ---------------------------------------------------------------------------
 */

static const kl_answer *verify(kl_call *c, const kl_inbound *in)
{
	const kl_answer *lied = misbehave(c, in->config, "verify", in->body);
	kl_answer *a = KL_NEW(c, kl_answer);

	if (a)
		a->kind = KL_ACCEPT;
	return lied ? lied : a;
}

static int normalize(kl_call *c, const kl_inbound *in)
{
	const kl_val *body = c->host->from_json(c, in->body);
	kl_event *e = KL_NEW(c, kl_event);

	if (!e || !body)
		return KL_BAD_INPUT;
	if (misbehave(c, in->config, "normalize", in->body))
		return 77;
	e->type = "thing.happened";
	e->dedupe = kl_text(c, body, "id");
	e->subject = KL_CAT(c, KL_LIT("thing:"), e->dedupe);
	e->data = body;
	c->host->emit(c, e);
	return 0;
}

static const kl_next *step(kl_call *c, const kl_step *s)
{
	const void *lied = misbehave(c, s->config, "step", kl_text(c, s->input, "text"));

	return lied ? lied : kl_done(c, s->input);
}

static void check(kl_call *c, const kl_val *config)
{
	misbehave(c, config, "check", KL_LIT(""));
}

static const kl_option options[] = {
	{"mode", KL_OPT_TEXT, 0, "crash", 0, "what it does"},
	{"where", KL_OPT_CHOICE, 0, "normalize", "verify normalize step check",
		"in which function"},
	{"every", KL_OPT_INT, 0, "0", 0, "at each so many calls; 0: never"},
};
static const kl_op ops[] = {{"act", KL_OP_ACTION, 0, 0, "gives back its input"}};
static const kl_route routes[] = {{"", 0, 0, "things"}};
static const kl_plugin plugin = {
	.size = sizeof(kl_plugin),
	.id = "test.klinke.rogue",
	.version = "1.0.0",
	.summary = "Works, and does what it must not",
	.events = "thing.happened",
	.options = KL_LIST(options),
	.ops = KL_LIST(ops),
	.routes = KL_LIST(routes),
	.verify = verify,
	.normalize = normalize,
	.step = step,
	.check = check,
};
KL_PLUGIN(&plugin)
