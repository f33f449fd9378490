/* pause.c - see pause.h. Never forgets one to make room for another. Runner's thread. */
#include "pipeline/pause.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "pipeline/alarm.h"

#define PAUSE_MS (5 * 60 * 1000)
#define PAUSE_CAP_MS (60 * 60 * 1000)

struct pause {
	struct pause *next;
	int64_t until_ms;
	uint32_t times; /* since it worked */
	size_t len;
	char connection[]; /* its full name, and not a plan's: that may go before the pause does */
};

static struct pause *find(const struct runner *r, struct str connection)
{
	struct pause *p = r->pauses;

	while (p && !str_eq(connection, (struct str){p->connection, p->len}))
		p = p->next;
	return p;
}

static struct pause *find_or_make(struct runner *r, struct str connection)
{
	struct pause *p = find(r, connection);

	if (p)
		return p;
	p = calloc(1, sizeof(*p) + connection.len + 1);
	if (!p)
		return NULL;
	p->len = connection.len;
	memcpy(p->connection, connection.ptr, connection.len);
	p->next = r->pauses;
	r->pauses = p;
	return p;
}

static void save(struct runner *r, const struct pause *p, const char *state)
{
	char key[sizeof(BREAKER_PAUSE) + 512];

	if (r->options.only_ours)
		return;
	snprintf(key, sizeof(key), BREAKER_PAUSE "%s", p->connection);
	breaker_save(r, &(struct breaker_row){.key = str_of(key),
				.state = str_of(state),
				.until_ms = p->until_ms,
				.failures = p->times});
}

int64_t paused_until(const struct runner *r, struct str connection)
{
	const struct pause *p = find(r, connection);

	return p && p->until_ms > clock_now_ms() ? p->until_ms : 0;
}

void unpause(struct runner *r, struct str connection)
{
	struct pause *p = find(r, connection);

	if (!p)
		return;
	p->times = 0;
	if (p->until_ms <= clock_now_ms())
		return;
	p->until_ms = 0; /* somebody did not wait for its end, and the credential is right again */
	save(r, p, "closed");
	runner_hasten(r, "bad auth");
}

static void log_pause(const struct run *run, const char *why, int64_t until_ms)
{
	char until[CLOCK_TEXT];

	clock_utc(until, until_ms);
	log_line(LOG_ERROR, "connection paused: its credential was refused", "connection",
		run->connection->config->full, "until", until, "reason",
		run_own_words(run->arena, why), "correlation", run->row.correlation.ptr, NULL);
}

int64_t pause_connection(struct run *run, const char *why)
{
	struct runner *r = run->runner;
	struct pause *p = find_or_make(r, str_of(run->connection->config->full));
	int64_t now_ms = clock_now_ms(), length = PAUSE_MS;

	if (!p)
		return now_ms + PAUSE_MS;
	if (p->until_ms > now_ms) /* under way together with the one that was refused first */
		return p->until_ms;
	for (uint32_t i = 0; i < p->times && length < PAUSE_CAP_MS; i++)
		length *= 2;
	if (length > PAUSE_CAP_MS)
		length = PAUSE_CAP_MS;
	p->until_ms = now_ms + length;
	log_pause(run, why, p->until_ms);
	if (!p->times++)
		alarm_refused(r, run->connection, why, p->until_ms);
	save(r, p, "paused");
	return p->until_ms;
}

void pauses_end(struct runner *r)
{
	struct pause *p;

	while ((p = r->pauses)) {
		r->pauses = p->next;
		save(r, p, "closed");
		free(p);
	}
}

void pauses_print(struct runner *r, struct buf *out)
{
	buf_add_text(out, "# HELP klinke_connection_paused 1: its credential was refused, and its "
			  "jobs wait.\n# TYPE klinke_connection_paused gauge\n");
	for (size_t i = 0; i < r->plan->connection_count; i++) {
		const char *full = r->plan->connections[i].config->full;
		buf_printf(out, "klinke_connection_paused{connection=\"%s\"} %d\n", full,
			paused_until(r, str_of(full)) != 0);
	}
}

void pauses_finish(struct runner *r)
{
	for (struct pause *p; (p = r->pauses);) {
		r->pauses = p->next;
		free(p);
	}
}
