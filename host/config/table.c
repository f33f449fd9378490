/* table.c - every section and key there is. Parser, help, defaults and man page are made of this.
 * Constant data; any thread. */
#include "config/internal.h"

#include <string.h>

/* Kind and its name for a person. */
#define TEXT .kind = K_TEXT, .type = "text"
#define NAME .kind = K_OTHER, .type = "name"
#define NUMBER .kind = K_INT, .type = "number"
#define YESNO .kind = K_BOOL, .type = "yes | no"
#define DURATION .kind = K_MS, .type = "duration"
#define KEEP .kind = K_KEEP, .type = "duration | forever"
#define SIZE .kind = K_BYTES, .type = "size"
#define RATE .kind = K_RATE, .type = "rate"
#define ONE_OF(choices) .kind = K_CHOICE, .type = choices
#define DIRECTORY .kind = K_PATH, .type = "directory"
#define WORDS .kind = K_WORDS, .type = "list of words", .repeated = true
#define WORD .kind = K_WORD, .type = "one word"
#define EVENTS .kind = K_EVENTS, .type = "list of event types", .repeated = true
#define PHRASES .kind = K_PHRASES, .type = "list, by commas", .repeated = true
#define NUMBERS .kind = K_NUMBERS, .type = "list of phone numbers, by commas", .repeated = true
#define SPAN .kind = K_SPAN, .type = "HH:MM-HH:MM"
#define STATE .kind = K_STATE, .type = "BW | BY | BE | …"
#define EXPRESSION .kind = K_SQL, .type = "SQL expression"
#define ONE_STEP .kind = K_OTHER, .type = "CONNECTION.OPERATION [KEY=VALUE …]"
#define TO(T, field) .offset = offsetof(T, field)

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

#define LIKE                                                                                       \
	{                                                                                          \
		.name = "like", NAME,                                                              \
		.help = "A [template NAME] whose keys also hold here. A key written here "         \
			"replaces "                                                                \
			"all of that name there; a step replaces all steps."                       \
	}
#define TENANT(what)                                                                               \
	{                                                                                          \
		.name = "tenant", NAME, .help = what                                               \
	}

/* The same of the host and of a tenant; without a default it is the host's. */
#define KEPT(of, part, field, least, otherwise, what)                                              \
	{                                                                                          \
		.name = "keep_" part, KEEP, TO(of, keep_ms[field]), .low = (least),                \
		.fallback = otherwise, .help = what                                                \
	}
/* Metadata for 14 days at least: it is what repeats are known by, and WhatsApp sends again for
 * seven. */
#define KEPT_OF(of, raw, transcript, recording, call, metadata)                                    \
	KEPT(of, "raw", CONFIG_KEEP_RAW, 0, raw,                                                   \
		"How long the bytes of webhooks, requests and answers are kept once they are "     \
		"done "                                                                            \
		"with. They hold everything, so never longer than transcripts and audio links."),  \
		KEPT(of, "transcript", CONFIG_KEEP_TRANSCRIPT, 0, transcript,                      \
			"Likewise what was said in calls and chats, word for word."),              \
		KEPT(of, "recording", CONFIG_KEEP_RECORDING, 0, recording,                         \
			"Likewise links to the audio of calls."),                                  \
		KEPT(of, "call", CONFIG_KEEP_CALL, DAY, call,                                      \
			"Likewise everything else that tells of persons: what events and runs "    \
			"say, calls; appointments after their end."),                              \
		KEPT(of, "metadata", CONFIG_KEEP_METADATA, 14 * DAY, metadata,                     \
			"Likewise that something came and what was done, without what it said. "   \
			"Longer than vendors repeat themselves.")

static const struct config_key host_keys[] = {
	{.name = "listen",
		.kind = K_LISTEN,
		.type = "ADDRESS:PORT",
		TO(struct config_host, listen),
		.fallback = "127.0.0.1:8080",
		.help = "Where webhooks, API and pages are served. [::1]:8080 for IPv6, :8080 for "
			"every address."},
	{.name = "state",
		DIRECTORY,
		TO(struct config_host, state),
		.fallback = "/var/lib/klinke",
		.help = "Where everything is kept that happened."},
	{.name = "plugins",
		.kind = K_PATHS,
		.type = "list of directories",
		.repeated = true,
		TO(struct config_host, plugins),
		.fallback = "/usr/lib/klinke/plugins",
		.help = "Where plugin = NAME looks for NAME.so, in this order."},
	{.name = "log",
		ONE_OF("logfmt | json"),
		TO(struct config_host, log),
		.fallback = "logfmt",
		.help = "Format of the log on standard error."},
	{.name = "log_level",
		ONE_OF("debug | info | warn | error"),
		TO(struct config_host, log_level),
		.fallback = "info",
		.help = "The least important lines that are logged."},
	{.name = "max_body",
		SIZE,
		TO(struct config_host, max_body),
		.low = 1024,
		.high = 64 << 20,
		.fallback = "4M",
		.help = "Largest request that is taken."},
	{.name = "header_timeout",
		DURATION,
		TO(struct config_host, header_timeout_ms),
		.low = 100,
		.high = 10 * MINUTE,
		.fallback = "10s",
		.help = "From a request's first byte to the end of its head."},
	{.name = "request_timeout",
		DURATION,
		TO(struct config_host, request_timeout_ms),
		.low = 100,
		.high = 10 * MINUTE,
		.fallback = "30s",
		.help = "From the end of its head to the end of its body."},
	{.name = "idle_timeout",
		DURATION,
		TO(struct config_host, idle_timeout_ms),
		.low = 100,
		.high = HOUR,
		.fallback = "75s",
		.help = "How long a connection without a request is kept open."},
	{.name = "max_connections",
		NUMBER,
		TO(struct config_host, max_connections),
		.low = 1,
		.high = 100000,
		.fallback = "1024",
		.help = "Open inbound connections; more are answered with 503."},
	{.name = "drain_timeout",
		DURATION,
		TO(struct config_host, drain_timeout_ms),
		.high = HOUR,
		.fallback = "20s",
		.help = "How long requests and callers in progress may take after TERM."},
	{.name = "integrity_check",
		DURATION,
		TO(struct config_host, integrity_check_ms),
		.high = 31 * DAY,
		.fallback = "24h",
		.help = "How often all of the store's file is read and checked, beside the work; "
			"0: "
			"never."},
	{.name = "admin_token",
		.kind = K_SECRET,
		.type = "secret",
		.repeated = true,
		TO(struct config_host, admin_token),
		.help = "Needed for the API, the metrics and the pages; without it they are "
			"closed. "
			"Twice while it is changed."},
	{.name = "admin_password",
		.kind = K_SECRET,
		.type = "line of klinke password",
		.repeated = true,
		TO(struct config_host, admin_password),
		.help = "What a person may log in with in a browser, instead of the token. Only "
			"its hash stands here. Twice while it is changed."},
	{.name = "tls_certificate",
		.kind = K_PATH,
		.type = "file",
		TO(struct config_host, tls_certificate),
		.help = "PEM: the certificate and those that lead to its authority. With it and "
			"tls_key everything at listen is served by TLS 1.2 or later; both are read "
			"again at a reload."},
	{.name = "tls_key",
		.kind = K_PATH,
		.type = "file",
		TO(struct config_host, tls_key),
		.help = "PEM: the private key of tls_certificate, readable by the host only."},
	{.name = "proxies",
		.kind = K_NETS,
		.type = "list of ADDRESS or ADDRESS/BITS",
		.repeated = true,
		TO(struct config_host, proxies),
		.help = "Reverse proxies before this host: what they say in X-Forwarded-For and "
			"X-Forwarded-Proto is believed. Without it all who come through one share "
			"its limits and its lock-out."},
	{.name = "allow_private",
		.kind = K_NETS,
		.type = "list of HOST[:PORT] or ADDRESS/BITS",
		.repeated = true,
		TO(struct config_host, allow_private),
		.help = "Private addresses that outbound requests may go to, and names that may "
			"be asked without TLS."},
	{.name = "include",
		.kind = K_OTHER,
		.type = "list of file patterns",
		.repeated = true,
		.help = "More files, relative to this one, in alphabetical order: "
			"tenants/*.ini. Also allowed before a file's first section."},
	KEPT_OF(struct config_host, "30d", "30d", "30d", "365d", "730d"),
	{.name = "find_gaps",
		DURATION,
		TO(struct config_host, find_gaps_ms),
		.high = 30 * DAY,
		.fallback = "0",
		.help = "How often calls and bookings are compared with the vendors' own lists, as "
			"klinke gaps does; 0: never."},
	{.name = "fetch_gaps",
		YESNO,
		TO(struct config_host, fetch_gaps),
		.fallback = "yes",
		.help = "Whether what never came is fetched then, as if its webhook came now."},
};

static const struct config_key template_keys[] = {LIKE};

static const struct config_key tenant_keys[] = {
	{.name = "name",
		TEXT,
		TO(struct config_tenant, title),
		.help = "What people call it; the section's name if left out."},
	{.name = "timezone",
		.kind = K_ZONE,
		.type = "IANA time zone",
		TO(struct config_tenant, timezone),
		.required = true,
		.help = "Where its clocks are: Europe/Berlin."},
	{.name = "language",
		ONE_OF("de | en"),
		TO(struct config_tenant, language),
		.fallback = "de",
		.help = "What is spoken and sent."},
	{.name = "country",
		.kind = K_COUNTRY,
		.type = "two letters",
		TO(struct config_tenant, country),
		.help = "For phone numbers and holidays: DE. The time zone's country if left out."},
	{.name = "numbers",
		NUMBERS,
		TO(struct config_tenant, numbers),
		.help = "Dialled numbers, +49…, by which calls of an agency's connection find this "
			"tenant; ids of its WhatsApp numbers (phone_number_id), by which messages "
			"do."},
	{.name = "agents",
		WORDS,
		TO(struct config_tenant, agents),
		.help = "Ids of voice agents by which they do, if the number does not say."},
	{.name = "event_types",
		WORDS,
		TO(struct config_tenant, event_types),
		.help = "Ids of calendar event types by which bookings do."},
	{.name = "token",
		.kind = K_SECRET,
		.type = "secret",
		.repeated = true,
		TO(struct config_tenant, token),
		.help = "Opens API, pages and live view to whoever has it, for this tenant's rows "
			"alone; without it only the host's admin_token does. Twice while it is "
			"changed."},
	KEPT_OF(struct config_tenant, NULL, NULL, NULL, NULL, NULL),
	LIKE,
};

#define PART(part, field, range, what)                                                             \
	{                                                                                          \
		.name = part, SPAN, TO(struct config_desk, field), .fallback = range, .help = what \
	}

static const struct config_key desk_keys[] = {
	{.name = "calendar",
		NAME,
		.fallback = "calendar",
		.help = "The connection that knows the free times and books: the tenant's own of "
			"this name, else the agency's."},
	{.name = "email",
		.kind = K_EMAIL,
		.type = "e-mail address",
		TO(struct config_desk, email),
		.help = "Given to the calendar with bookings of callers who give none of theirs."},
	{.name = "horizon",
		DURATION,
		TO(struct config_desk, horizon_ms),
		.low = DAY,
		.high = 365 * DAY,
		.fallback = "14d",
		.help = "How far ahead times are offered."},
	{.name = "alternatives",
		NUMBER,
		TO(struct config_desk, alternatives),
		.low = 1,
		.high = 10,
		.fallback = "2",
		.help = "How many other times are said when the wished one is taken."},
	{.name = "hold",
		DURATION,
		TO(struct config_desk, hold_ms),
		.low = SECOND,
		.high = HOUR,
		.fallback = "5m",
		.help = "How long an offered time is kept for its caller; a call that ends frees "
			"it earlier."},
	{.name = "fresh",
		DURATION,
		TO(struct config_desk, fresh_ms),
		.low = SECOND,
		.high = DAY,
		.fallback = "10m",
		.help = "How old known free times may be to be offered without asking the "
			"calendar."},
	{.name = "refresh",
		DURATION,
		TO(struct config_desk, refresh_ms),
		.high = DAY,
		.fallback = "5m",
		.help = "How often free times are read again while nobody calls; 0: never."},
	{.name = "notice",
		DURATION,
		TO(struct config_desk, notice_ms),
		.high = 30 * DAY,
		.fallback = "1h",
		.help = "Nothing is offered that begins sooner."},
	{.name = "identity",
		.kind = K_OTHER,
		.type = "list of number, name-date | none",
		.fallback = "number, name-date",
		.help = "What proves who is calling before an appointment is told, moved or "
			"cancelled: the number of the call, a name with the date of the "
			"appointment. With none of them somebody calls back."},
	{.name = "state",
		STATE,
		TO(struct config_desk, state),
		.help = "Federal state whose public holidays count, in Germany: BE. Left out: "
			"only those of all states."},
	PART("early", early, "06:00-10:00", "What a caller means by: early, \"früh\"."),
	PART("morning", morning, "06:00-12:00", "In the morning, \"vormittags\"."),
	PART("noon", noon, "11:00-14:00", "At lunchtime, \"mittags\"."),
	PART("afternoon", afternoon, "12:00-18:00", "In the afternoon, \"nachmittags\"."),
	PART("early_afternoon", early_afternoon, "12:00-15:00", "Early in the afternoon."),
	PART("late_afternoon", late_afternoon, "15:00-18:00", "Late in the afternoon."),
	PART("evening", evening, "17:00-22:00", "In the evening, \"abends\"."),
	{.name = "about",
		DURATION,
		TO(struct config_desk, about_ms),
		.high = 3 * HOUR,
		.fallback = "30m",
		.help = "About four o'clock, \"gegen vier\": that much before or after."},
	LIKE,
};

#define OFFICE                                                                                     \
	{                                                                                          \
		.name = "tenant", NAME, .required = true, .help = "Whose it is."                   \
	}

static const struct config_key service_keys[] = {
	OFFICE,
	{.name = "title",
		TEXT,
		TO(struct config_service, title),
		.help = "What callers are told it is; the section's name if left out."},
	{.name = "aliases",
		PHRASES,
		TO(struct config_service, aliases),
		.help = "What callers call it."},
	{.name = "duration",
		DURATION,
		TO(struct config_service, length_ms),
		.required = true,
		.low = 5 * MINUTE,
		.high = 12 * HOUR,
		.help = "How long it takes: 30m."},
	{.name = "price",
		.kind = K_OTHER,
		.type = "amount",
		.help = "What callers are told it costs: 89,00 EUR."},
	{.name = "event_type",
		WORD,
		TO(struct config_service, event_type),
		.required = true,
		.help = "The calendar's id of the appointments of this service."},
	{.name = "calendar",
		NAME,
		.help = "The connection that books it, if it is not the [desk]'s."},
	{.name = "staff",
		.kind = K_OTHER,
		.type = "NAME : EVENT_TYPE",
		.repeated = true,
		.help = "Who does it, for callers who want a certain person, and the event type "
			"of only that person's appointments."},
	{.name = "capacity",
		NUMBER,
		TO(struct config_service, capacity),
		.low = 1,
		.high = 1000,
		.fallback = "1",
		.help = "How many appointments of the event type may be at the same time, where "
			"no staff is named."},
	LIKE,
};

static const struct config_key branch_keys[] = {
	OFFICE,
	{.name = "title",
		TEXT,
		TO(struct config_branch, title),
		.help = "What callers are told it is; the section's name if left out."},
	{.name = "address",
		TEXT,
		TO(struct config_branch, address),
		.help = "Where it is, as it is said."},
	{.name = "numbers",
		NUMBERS,
		TO(struct config_branch, numbers),
		.help = "Dialled numbers, +49…, that ring there. They lead to the tenant as its "
			"own numbers do."},
	{.name = "agent",
		WORD,
		TO(struct config_branch, agent),
		.help = "Id of the voice agent that answers there, if it is not the number's own."},
	{.name = "agent_version",
		NUMBER,
		TO(struct config_branch, agent_version),
		.high = 1000000,
		.help = "Its version; the vendor's choice if left out."},
	{.name = "state",
		STATE,
		TO(struct config_branch, state),
		.help = "Federal state whose public holidays count there; the [desk]'s if left "
			"out."},
	{.name = "override",
		.kind = K_OTHER,
		.type = "SERVICE [duration=…] [price=…] [event_type=…] [active=yes | no]",
		.repeated = true,
		.help = "What is different there: cleaning duration=45m price=\"70,00 EUR\". "
			"With active=no it is not offered there."},
	LIKE,
};

#define RETRY(struct_name, tries, age, base, cap)                                                  \
	{.name = "retry_max_tries",                                                                \
		NUMBER,                                                                            \
		TO(struct_name, retry.max_tries),                                                  \
		.low = 1,                                                                          \
		.high = 1000,                                                                      \
		.fallback = tries,                                                                 \
		.help = "How often an operation is tried before it is a dead letter."},            \
		{.name = "retry_max_age",                                                          \
			DURATION,                                                                  \
			TO(struct_name, retry.max_age_ms),                                         \
			.high = 365 * DAY,                                                         \
			.fallback = age,                                                           \
			.help = "How long, counted from the first try."},                          \
		{.name = "retry_base",                                                             \
			DURATION,                                                                  \
			TO(struct_name, retry.base_ms),                                            \
			.low = 1,                                                                  \
			.high = DAY,                                                               \
			.fallback = base,                                                          \
			.help = "Longest wait before the second try; doubles with each."},         \
	{                                                                                          \
		.name = "retry_cap", DURATION, TO(struct_name, retry.cap_ms), .low = 1,            \
		.high = 7 * DAY, .fallback = cap, .help = "Longest wait between two tries."        \
	}

static const struct config_key connection_keys[] = {
	TENANT("Whose it is. Left out: the agency's, for every tenant that has none of this name."),
	{.name = "plugin",
		NAME,
		.required = true,
		.help = "The plugin's file without .so. Its own options are keys here too: "
			"klinke plugin info NAME."},
	{.name = "isolation",
		ONE_OF("worker | inline"),
		TO(struct config_connection, worker.isolation),
		.fallback = "worker",
		.help = "Run the plugin in a sandboxed process, or inside the host."},
	{.name = "worker_timeout",
		DURATION,
		TO(struct config_connection, worker.call_timeout_ms),
		.low = 10,
		.high = MINUTE,
		.fallback = "2s",
		.help = "Longest single call of the plugin."},
	{.name = "timeout",
		DURATION,
		TO(struct config_connection, limits.timeout_ms),
		.low = 10,
		.high = 10 * MINUTE,
		.fallback = "30s",
		.help = "Of a request, unless the plugin says otherwise."},
	{.name = "rate",
		RATE,
		TO(struct config_connection, limits.rate),
		.help = "Most requests in a time, 120/min, per credential. No limit if left out."},
	{.name = "burst",
		NUMBER,
		TO(struct config_connection, limits.burst),
		.low = 1,
		.high = 100000,
		.help = "Most requests at once after a pause; one second's if left out."},
	{.name = "concurrency",
		NUMBER,
		TO(struct config_connection, limits.concurrency),
		.low = 1,
		.high = 1000,
		.fallback = "32",
		.help = "Requests under way side by side."},
	{.name = "breaker_rate",
		NUMBER,
		TO(struct config_connection, limits.breaker_rate),
		.low = 1,
		.high = 101,
		.fallback = "50",
		.help = "Percent of failures at which the circuit opens; 101: never."},
	{.name = "breaker_volume",
		NUMBER,
		TO(struct config_connection, limits.breaker_volume),
		.low = 1,
		.high = 100000,
		.fallback = "10",
		.help = "It never opens on fewer requests."},
	{.name = "breaker_window",
		DURATION,
		TO(struct config_connection, limits.breaker_window_ms),
		.low = 1000,
		.high = HOUR,
		.fallback = "1m",
		.help = "How far back it looks."},
	{.name = "breaker_open",
		DURATION,
		TO(struct config_connection, limits.breaker_open_ms),
		.low = 100,
		.high = HOUR,
		.fallback = "30s",
		.help = "How long before it probes."},
	RETRY(struct config_connection, "30", "24h", "2s", "15m"), /* outlasts an hour of errors */
	{.name = "poll_",
		.kind = K_OTHER,
		.type = "duration",
		.help = "poll_OPERATION = 5m: how often that poll of the plugin is started."},
	LIKE,
};

static const struct config_key mapping_keys[] = {
	TENANT("Whose it is. Left out: for every tenant that has none of this name."),
	{.name = "plugin",
		NAME,
		.required = true,
		.help = "The plugin that maps: fields. Its options are keys here too; those that "
			"are expressions are written KEY = SPEC : SQL."},
	LIKE,
};

static const struct config_key pipeline_keys[] = {
	TENANT("Whose it is. Left out: it runs for every tenant."),
	{.name = "on",
		EVENTS,
		TO(struct config_pipeline, on),
		.required = true,
		.help = "What it waits for: call.analyzed."},
	{.name = "when",
		EXPRESSION,
		TO(struct config_pipeline, when),
		.help = "Runs only if this is true."},
	{.name = "within",
		DURATION,
		TO(struct config_pipeline, within_ms),
		.low = 1,
		.high = MINUTE,
		.help = "A caller waits for the answer, this long at most."},
	{.name = "fallback",
		.kind = K_OTHER,
		.type = "text | (SQL)",
		.help = "With within: what is said if it is late or has failed."},
	{.name = "late",
		ONE_STEP,
		.help = "With within: done with the result that came after the fallback was said. "
			"Its input is that result."},
	{.name = "step",
		.kind = K_OTHER,
		.repeated = true,
		.type = "map NAME | CONNECTION.OPERATION [KEY=VALUE …]",
		.help = "What is done, one after the other. A value is a word, \"text\", or "
			"(SQL)."},
	{.name = "in",
		.kind = K_OTHER,
		.type = "SQL expression",
		.repeated = true,
		.help = "After a step: its input. The result of the mapping or step before it if "
			"left out."},
	{.name = "as",
		.kind = K_OTHER,
		.type = "name",
		.repeated = true,
		.help = "After a step: its result is steps.NAME."},
	{.name = "at",
		.kind = K_OTHER,
		.type = "SQL expression [+ | - DURATION]",
		.repeated = true,
		.help = "After a step: when it is done. At once if left out."},
	{.name = "cancel_on",
		.kind = K_OTHER,
		.type = "list of event types",
		.repeated = true,
		.help = "After a step with at: what drops the run while it waits."},
	{.name = "otherwise",
		ONE_STEP,
		.repeated = true,
		.help = "After a step: done in its place when it has failed for good."},
	{.name = "on_error", ONE_STEP, .help = "Done when a step has failed for good."},
	{.name = "strict",
		YESNO,
		TO(struct config_pipeline, strict),
		.fallback = "no",
		.help = "Later events of the same call or booking wait while this run waits."},
	RETRY(struct config_pipeline, NULL, NULL, NULL, NULL),
	LIKE,
};

#define TABLE(k, is_named, keys_, text)                                                            \
	{                                                                                          \
		.kind = k, .named = is_named, .help = text,                                        \
		.key_count = sizeof(keys_) / sizeof(*keys_), .keys = keys_                         \
	}

static const struct config_section sections[] = {
	TABLE("host", false, host_keys, "The host itself."),
	TABLE("tenant", true, tenant_keys, "An office."),
	TABLE("desk", true, desk_keys,
		"How callers of the tenant of that name are answered during the call."),
	TABLE("service", true, service_keys, "What callers can book. Names are unique per tenant."),
	TABLE("branch", true, branch_keys, "A place of the office. Names are unique per tenant."),
	TABLE("connection", true, connection_keys,
		"One account at one provider. Names are unique per tenant."),
	TABLE("mapping", true, mapping_keys, "How the input of an operation is made of an event."),
	TABLE("pipeline", true, pipeline_keys, "What is done when something has happened."),
	TABLE("template", true, template_keys, "Keys that several sections have in common."),
};

const struct config_section *config_sections(size_t *count)
{
	*count = sizeof(sections) / sizeof(*sections);
	return sections;
}

const struct config_section *table_find(const char *kind)
{
	for (size_t i = 0; i < sizeof(sections) / sizeof(*sections); i++)
		if (strcmp(sections[i].kind, kind) == 0)
			return &sections[i];
	return NULL;
}

static bool names(const struct config_key *key, const char *name)
{
	size_t len = strlen(key->name);

	if (key->name[len - 1] == '_')
		return strncmp(key->name, name, len) == 0 && name[len];
	return strcmp(key->name, name) == 0;
}

bool table_has(const struct config_section *table, const char *key)
{
	for (size_t i = 0; i < table->key_count; i++)
		if (names(&table->keys[i], key))
			return true;
	return false;
}

/* Breaks at blanks, with a margin of four. */
static void print_wrapped(FILE *out, const char *text)
{
	size_t col = 0;

	while (*text) {
		size_t word = strcspn(text, " ");
		if (col && col + 1 + word > 76) {
			fputc('\n', out);
			col = 0;
		}
		fputs(col ? " " : "    ", out);
		fwrite(text, 1, word, out);
		col += word + (col ? 1 : 0);
		text += word + strspn(text + word, " ");
	}
	fputc('\n', out);
}

static void print_key(FILE *out, const struct config_key *key)
{
	bool prefix = key->name[strlen(key->name) - 1] == '_';

	fprintf(out, "  %s%s = %s\n", key->name, prefix ? "OPERATION" : "", key->type);
	print_wrapped(out, key->help);
	if (key->fallback)
		fprintf(out, "    Default: %s\n", key->fallback);
	if (key->required || key->repeated)
		fprintf(out, "    %s%s%s\n", key->required ? "Required." : "",
			key->required && key->repeated ? " " : "",
			key->repeated ? "May be given more than once." : "");
}

void config_help(FILE *out, const char *section_or_null)
{
	for (size_t i = 0; i < sizeof(sections) / sizeof(*sections); i++) {
		const struct config_section *section = &sections[i];
		if (section_or_null && strcmp(section_or_null, section->kind))
			continue;
		fprintf(out, "[%s%s]  %s\n", section->kind, section->named ? " NAME" : "",
			section->help);
		for (size_t k = 0; k < section->key_count; k++)
			print_key(out, &section->keys[k]);
		fputc('\n', out);
	}
}
