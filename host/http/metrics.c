/* metrics.c - what runs, what waits, what went wrong, in numbers. No personal data, no ids. */
#include "http/metrics.h"

#include "http/admin.h"
#include "http/listener.h"
#include "http/live.h"
#include "http/rows.h"
#include "pipeline/runner.h"
#include "store/care.h"

static void one(
	struct buf *out, const char *name, const char *type, const char *help, uint64_t value)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", name, help, name, type, name,
		(unsigned long long)value);
}

static void print_store(struct buf *out, const char *state)
{
	struct store_reader *reader;
	struct store_counts c;

	if (store_reader_open(NULL, &reader, state) < 0)
		return;
	if (store_count(NULL, reader, &c) == 0) {
		one(out, "klinke_webhooks_waiting", "gauge", "Stored, not yet read.", c.inbox_new);
		one(out, "klinke_webhooks_parked", "gauge", "Could not be read, for a person.",
			c.inbox_parked);
		buf_add_text(out, "# HELP klinke_jobs Jobs by state.\n# TYPE klinke_jobs gauge\n");
		for (int s = JOB_READY; s <= JOB_DROPPED; s++)
			buf_printf(out, "klinke_jobs{state=\"%s\"} %llu\n",
				rows_job_state((enum job_state)s), (unsigned long long)c.jobs[s]);
	}
	store_reader_close(reader);
}

/* Seconds since 1970; 0: never. */
static uint64_t noted_at(const char *state, enum care_note note)
{
	struct care_noted noted;

	return care_note_read(state, note, &noted) ? (uint64_t)noted.at_ms / 1000 : 0;
}

static void print_care(struct buf *out, const char *state)
{
	one(out, "klinke_store_damaged", "gauge", "1: damage of the store's file was met.",
		noted_at(state, CARE_DAMAGE) > 0);
	one(out, "klinke_store_checked_timestamp_seconds", "gauge",
		"When all of the store's file was last checked.", noted_at(state, CARE_INTEGRITY));
	one(out, "klinke_backup_timestamp_seconds", "gauge",
		"When klinke backup last made a copy of the store.", noted_at(state, CARE_BACKUP));
}

static void print_live(struct buf *out, struct live *live)
{
	struct live_stats s;

	live_stats(live, &s);
	one(out, "klinke_live_streams", "gauge", "Open live streams.", s.streams);
	one(out, "klinke_live_opened_total", "counter", "Live streams opened.", s.opened);
	one(out, "klinke_live_refused_total", "counter",
		"Requests for a live stream refused: too often, too many, not understood.",
		s.refused);
	one(out, "klinke_live_behind_total", "counter",
		"Times a viewer had no room for an event, and got it later.", s.behind);
	one(out, "klinke_live_cut_total", "counter", "Live streams cut: their viewer took nothing.",
		s.cut);
	one(out, "klinke_live_events_total", "counter", "Events told to viewers.", s.events);
}

static void print_sandbox(struct buf *out, const char *sandbox)
{
	struct str rest = str_of(sandbox);
	struct admin_means means;

	buf_add_text(out, "# HELP klinke_sandbox What confines plugins here: 1 there, 0 lacking.\n"
			  "# TYPE klinke_sandbox gauge\n");
	while (admin_next_means(&rest, &means))
		buf_printf(out, "klinke_sandbox{means=\"%.*s\"} %d\n", STR_ARG(means.name),
			means.there);
}

void metrics_print(struct buf *out, const struct metrics_sources *of)
{
	struct runner_stats r;
	struct listener_stats l;

	runner_stats(of->runner, &r);
	listener_stats(of->listener, &l);
	one(out, "klinke_http_requests_total", "counter", "Requests received.", l.requests);
	one(out, "klinke_http_rejected_total", "counter", "Requests refused before any handler.",
		l.rejected);
	one(out, "klinke_http_cut_total", "counter", "Connections cut at a deadline.", l.cut);
	one(out, "klinke_http_connections", "gauge", "Open connections.", l.connections);
	if (l.tls_expires_ms)
		one(out, "klinke_tls_certificate_ends_seconds", "gauge",
			"When the listener's certificate ends, in seconds since 1970.",
			(uint64_t)l.tls_expires_ms / 1000);
	one(out, "klinke_webhooks_stored_total", "counter", "Webhooks stored and answered.",
		r.hooks);
	one(out, "klinke_webhooks_rejected_total", "counter",
		"Webhooks without a valid proof of origin.", r.rejected);
	one(out, "klinke_webhooks_stray_total", "counter",
		"Webhooks to an address that nobody has.", r.strays);
	one(out, "klinke_webhooks_refused_total", "counter",
		"Webhooks answered 503: sent again later.", r.refused);
	one(out, "klinke_events_total", "counter", "New events.", r.events);
	one(out, "klinke_event_repeats_total", "counter", "Events that came again.", r.repeats);
	one(out, "klinke_jobs_done_total", "counter", "Jobs done.", r.jobs_done);
	one(out, "klinke_jobs_failed_total", "counter", "Jobs parked or dead.", r.jobs_failed);
	one(out, "klinke_jobs_running", "gauge", "Jobs in hand.", r.jobs_running);
	one(out, "klinke_config_generation", "gauge", "Generation of the configuration.",
		r.generation);
	print_live(out, of->live);
	print_sandbox(out, of->sandbox);
	print_store(out, of->state);
	print_care(out, of->state);
	runner_metrics(of->runner, out);
}
