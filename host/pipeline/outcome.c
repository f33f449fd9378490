/* outcome.c - what a failure means: again later, something else instead, or a person. Runner's
 * thread.
 *
 * One rule stands above all: what may have happened is never begun again from the top. It is
 * looked up, and if that is not possible it is parked.
 */
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "pipeline/asks.h"
#include "pipeline/job_i.h"
#include "pipeline/pause.h"

#define KILLS_MAX 2
#define CROWDED_MS 1000
#define ASKED_MOST_MS (3600 * 1000LL) /* as long as transfer pauses a lane for a Retry-After */

const char *fail_name(uint32_t fail)
{
	static const char *const names[] = {
		"", "bad input", "bad auth", "busy", "broken", "gone", "conflict", "surprise"};
	return fail < sizeof(names) / sizeof(names[0]) ? names[fail] : "surprise";
}

/* ---- Retries ------------------------------------------------------------------------------ */

static int64_t pick(int64_t own, int64_t general)
{
	return own >= 0 ? own : general;
}

/* The pipeline's word goes before the connection's. */
static struct config_retry retry_of(const struct run *run)
{
	struct config_retry r = {30, 24 * 3600 * 1000LL, 1000, 15 * 60 * 1000};

	if (run->connection)
		r = run->connection->config->retry;
	if (run->pipeline) {
		const struct config_retry *p = &run->pipeline->config->retry;
		r.max_tries = pick(p->max_tries, r.max_tries);
		r.max_age_ms = pick(p->max_age_ms, r.max_age_ms);
		r.base_ms = pick(p->base_ms, r.base_ms);
		r.cap_ms = pick(p->cap_ms, r.cap_ms);
	}
	return r;
}

static int64_t random_below(int64_t n)
{
	uint64_t r;

	if (n <= 0)
		return 0;
	crypto_random(&r, sizeof(r));
	return (int64_t)(r % (uint64_t)n);
}

/* Exponential with full jitter: many that failed together do not come back together. */
static int64_t backoff(const struct config_retry *retry, uint32_t tries)
{
	int64_t most = retry->base_ms;

	for (uint32_t i = 1; i < tries && most < retry->cap_ms; i++)
		most *= 2;
	if (most > retry->cap_ms)
		most = retry->cap_ms;
	return retry->base_ms / 2 + random_below(most);
}

/* For so long it could be tried. What was before the clock was set does not count, since nobody
 * knows how long it was, nor does what was before the start: a job is not given up because the host
 * was off for a day. */
static int64_t age_of(const struct run *run)
{
	int64_t now = clock_now_ms(), even = run->runner->even_since_ms;
	int64_t from = run->row.created_ms;

	if (run->step.due_ms > from) /* a reminder waits for weeks before its first try */
		from = run->step.due_ms;
	if (from < even || from > now)
		from = even;
	return now - from;
}

/* Costs no try, so what grows is the age: who stays busy for an hour is asked every quarter of one,
 * not every second. */
static int64_t busy_backoff(const struct run *run, const struct config_retry *retry)
{
	int64_t grown = age_of(run) / 4;

	if (grown > retry->cap_ms)
		grown = retry->cap_ms;
	return backoff(retry, 1) + (grown > 0 ? grown : 0);
}

static bool too_old(const struct run *run, const struct config_retry *retry)
{
	if (age_of(run) <= retry->max_age_ms)
		return false;
	polls_watch_clock(run->runner); /* it may have been set since the last tick */
	return age_of(run) > retry->max_age_ms;
}

/* ---- What next ---------------------------------------------------------------------------- */

/* The operation may be begun anew: forget how far it was. What a NEVER request has already done
 * stays, and makes the next begin a look-up. */
static void rewind_step(struct run *run)
{
	run->row.sent = run->step.happened || run->step.unresolved;
	run->step.unresolved = false;
	run->step.looking = false;
	run->step.waiting = false;
	run->step.number = 0;
	run->row_texts = 0;
	run->look_state = (struct str){0};
	if (!run->row.sent)
		run->step.state = (struct str){0};
}

/* A slot that is taken, an appointment that is gone: who is on the line hears it in this moment,
 * and no other person is needed; nor if the call is over that something was for. Whatever an
 * operator can mend is parked all the same. */
static bool is_news_to_the_caller_only(const struct run *run, const char *fail)
{
	if (strcmp(fail, fail_name(KL_CONFLICT)) != 0 && strcmp(fail, fail_name(KL_GONE)) != 0)
		return false;
	return asks_matter(run->runner, &run->row.id) ||
	       (!run->pipeline && str_is(run->row.subject, JOB_LATE));
}

static void final_failure(struct run *run, enum job_state state, const char *fail, const char *why)
{
	const struct plan_step *step = run_step(run);

	/* Instead of what may have happened nothing is done: it might happen twice. PARKED, not
	 * DEAD, so that an event can still tell. */
	if (run->row.sent) {
		run_unknown(run, why);
		return;
	}
	if (is_news_to_the_caller_only(run, fail)) {
		run_end(run, JOB_DROPPED, fail, why);
		return;
	}
	if (step && step->otherwise.config && !run->step.instead) {
		run_note(
			run, ATTEMPT_STEP, step->config->name, fail, run->step.input, STR(""), why);
		run->step = (struct step_state){.due_ms = run->step.due_ms, .instead = true};
		run->row.tries = run->row.kills = run->row.absent = 0;
		run->row.sent = false;
		run_next(run);
		return;
	}
	run_end(run, state, fail, why);
}

/* Who asks for a year has mistaken a date for seconds, and nobody would be told until then. So it
 * is an hour, unless the operator waits longer by himself; and the last try is when it may be tried
 * no longer. */
static int64_t asked_wait(const struct run *run, const struct config_retry *retry, int64_t wait_ms)
{
	int64_t most = retry->cap_ms > ASKED_MOST_MS ? retry->cap_ms : ASKED_MOST_MS;
	int64_t left = retry->max_age_ms - age_of(run);

	if (wait_ms > most)
		wait_ms = most;
	wait_ms += random_below(wait_ms / 10);
	return wait_ms < left ? wait_ms : left > 0 ? left : 0;
}

static void again_later(struct run *run, uint32_t fail, const char *why, int64_t wait_ms)
{
	struct config_retry retry = retry_of(run);
	int64_t delay;

	if (fail != KL_BUSY)
		run->row.tries++;
	delay = wait_ms > 0       ? asked_wait(run, &retry, wait_ms)
		: fail == KL_BUSY ? busy_backoff(run, &retry)
				  : backoff(&retry, run->row.tries ? run->row.tries : 1);
	if (run->row.tries >= (uint32_t)retry.max_tries || too_old(run, &retry) ||
		waiter_waits(run->runner, &run->row.id))
		final_failure(run, JOB_DEAD, fail_name(fail), why);
	else
		run_later(run, clock_now_ms() + delay, fail_name(fail), why);
}

void run_failed(
	struct run *run, uint32_t fail, const char *code, const char *message, int64_t wait_ms)
{
	const char *why = message ? message : "it failed";
	struct config_retry retry = retry_of(run);

	if (code)
		why = arena_printf(run->arena, "%s (%s)", why, code);
	else
		why = arena_printf(run->arena, "%s", why);
	rewind_step(run);
	if (asks_is_read(run)) { /* the mirror keeps what it knows; the next read may do better */
		if (fail == KL_BAD_AUTH && run->connection)
			pause_connection(run, why);
		run_end(run, JOB_DROPPED, fail_name(fail), why);
		return;
	}
	switch (fail) {
	case KL_BUSY:
	case KL_BROKEN:
		again_later(run, fail, why, wait_ms);
		break;
	case KL_BAD_AUTH:
		if (!run->connection || too_old(run, &retry) ||
			waiter_waits(run->runner, &run->row.id))
			final_failure(run, JOB_DEAD, fail_name(fail), why);
		else
			run_later(run, pause_connection(run, why), fail_name(fail), why);
		break;
	default:
		final_failure(run, JOB_PARKED, fail_name(fail), why);
	}
}

void run_unknown(struct run *run, const char *why)
{
	run->row.sent = true; /* so that an event that regards it can close it */
	run->step.looking = run->step.waiting = false;
	run_end(run, JOB_PARKED, "unknown",
		arena_printf(run->arena, "%s",
			why ? why : "it may have happened, and the provider cannot be asked"));
}

/* It counts as a try: a provider that fails each time is not asked for ever. */
static void begin_again(struct run *run)
{
	struct config_retry retry = retry_of(run);

	run->row.absent = 0;
	run->row.tries++;
	rewind_step(run);
	if (run->row.tries >= (uint32_t)retry.max_tries || too_old(run, &retry))
		final_failure(run, JOB_DEAD, fail_name(KL_BROKEN),
			"it did not happen, however often it was sent");
	else
		run_next(run);
}

void run_absent(struct run *run)
{
	int64_t wait = run->step.timeout_ms > 1000 ? run->step.timeout_ms : 1000;

	run->row.absent++;
	run->step.looking = false;
	if (run->row.absent < 2) {
		/* a slow provider may still be at it: look once more after the request's timeout */
		run_later(
			run, clock_now_ms() + wait, "unknown", "not there yet, looking once more");
		return;
	}
	if (run->step.happened) {
		run_unknown(run, "a part of it has happened, the rest has not: please look there");
		return;
	}
	begin_again(run);
}

bool run_lacks_memory(struct run *run, const struct error *error)
{
	if (error->code != E_NOMEM)
		return false;
	if (arena_failed(run->arena))
		run_too_big(run);
	else
		run_later(run, clock_now_ms() + CROWDED_MS, "memory",
			arena_printf(run->arena, "%s", error->text));
	return true;
}

void run_cut_off(struct run *run)
{
	rewind_step(run);
	run_later(run, clock_now_ms(), NULL, "the host stopped before it was sent");
}

bool run_not_taken(struct run *run)
{
	const struct plugin_out *out = &run->call.out;

	if (out->status == PLUGIN_FAILED && run_lacks_memory(run, &out->error))
		return true;
	if (out->status != PLUGIN_DISABLED && out->status != PLUGIN_NOT_RUN)
		return false;
	run_later(run, clock_now_ms() + (out->status == PLUGIN_DISABLED ? DISABLED_MS : CROWDED_MS),
		"plugin", out->error.text);
	return true;
}

void run_died(struct run *run)
{
	const char *why = arena_printf(run->arena, "%s", run->call.out.error.text);

	run->row.kills++;
	if (asks_is_read(run))
		run_end(run, JOB_DROPPED, "plugin", why);
	else if (run->row.kills >= KILLS_MAX)
		final_failure(run, JOB_PARKED, "plugin", why);
	else
		run_later(run, clock_now_ms() + 1000, "plugin", why);
}
