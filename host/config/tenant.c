/* tenant.c - [host] and [tenant]: typed fields, time zones and countries, who is called how.
 *
 * Reads the system's zone.tab when a zone is not known or a country not given. Runs on the thread
 * that loads.
 */
#include "config/internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/clock.h"
#include "base/password.h"

/* ---- Host --------------------------------------------------------------------------------- */

/* Whoever may try a token may try as often as there is time for; fewer characters could be found.
 */
#define TOKEN_LEAST 16

/* Where the key is given for the nth time. */
static struct config_place place_of_key(struct section *section, const char *key, size_t n)
{
	struct item *item = section_next(section, key, NULL);

	while (item && n--)
		item = section_next(section, key, item);
	return item ? item->entry->place : section->place;
}

static void check_token(
	struct loader *loader, struct section *section, const struct config_secret *token)
{
	for (size_t i = 0; i < token->count; i++)
		if (token->values[i].len < TOKEN_LEAST)
			fault(loader, place_of_key(section, token->option, i),
				"\"%s\" has fewer than %d characters, so it could be guessed; make "
				"one with: openssl rand -hex 24",
				token->option, TOKEN_LEAST);
}

static void check_password(struct loader *loader, struct section *section)
{
	const struct config_secret *password = &loader->config->host.admin_password;

	for (size_t i = 0; i < password->count; i++) {
		const char *why = password_fault(password->values[i]);
		if (why)
			fault(loader, place_of_key(section, password->option, i), "\"%s\" %s",
				password->option, why);
	}
}

static void check_proxies(struct loader *loader, struct section *section)
{
	const struct config_list *proxies = &loader->config->host.proxies;

	for (size_t i = 0; i < proxies->count; i++)
		if (strspn(proxies->list[i], "0123456789abcdefABCDEF.:/") !=
			strlen(proxies->list[i]))
			fault(loader, place_of_key(section, "proxies", 0),
				"\"%s\" is no address: a proxy is known by 127.0.0.1, ::1 or a "
				"network like 10.0.0.0/8",
				proxies->list[i]);
}

static void check_tls(struct loader *loader, struct section *section)
{
	struct config_host *host = &loader->config->host;
	const char *there = host->tls_certificate ? "tls_certificate" : "tls_key";

	if (host->tls_certificate)
		host->tls_place = place_of_key(section, there, 0);
	if (!host->tls_certificate != !host->tls_key)
		fault(loader, place_of_key(section, there, 0),
			"\"tls_certificate\" and \"tls_key\" belong together; [host] has only the "
			"one");
}

/* Who can be reached from elsewhere asks who is there, and does not do so in clear. */
static void check_reach(struct loader *loader, struct section *section)
{
	const struct config_host *host = &loader->config->host;
	struct config_place listen = place_of_key(section, "listen", 0);

	if (host->loopback)
		return;
	if (!host->admin_token.count && !host->admin_password.count)
		fault(loader, section->place,
			"others than this machine can reach \"%s\", so [host] needs "
			"\"admin_token\": "
			"admin_token = ${KLINKE_ADMIN_TOKEN}",
			host->listen);
	else if (!host->tls_certificate && !host->proxies.count)
		warn(loader, listen,
			"others than this machine can reach \"%s\", and tokens pass there in "
			"clear: "
			"set tls_certificate and tls_key, or name the proxy that does it in "
			"proxies",
			host->listen);
}

static bool is_longer(int64_t a, int64_t b)
{
	return b != CONFIG_FOREVER && (a == CONFIG_FOREVER || a > b);
}

static const char *const keep_names[CONFIG_KEEPS] = {
	"keep_raw", "keep_transcript", "keep_recording", "keep_call", "keep_metadata"};

/* What is inside of something goes with it at the latest; who wrote otherwise is told. */
static void settle_keeps(
	struct loader *loader, struct section *section, int64_t keep_ms[CONFIG_KEEPS])
{
	static const struct {
		enum config_keep inside, of;
	} holds[] = {{CONFIG_KEEP_CALL, CONFIG_KEEP_METADATA},
		{CONFIG_KEEP_TRANSCRIPT, CONFIG_KEEP_CALL},
		{CONFIG_KEEP_RECORDING, CONFIG_KEEP_CALL},
		{CONFIG_KEEP_RAW, CONFIG_KEEP_TRANSCRIPT},
		{CONFIG_KEEP_RAW, CONFIG_KEEP_RECORDING}};

	for (size_t i = 0; i < sizeof(holds) / sizeof(*holds); i++) {
		const char *inside = keep_names[holds[i].inside];
		struct item *item = section_next(section, inside, NULL);
		if (!is_longer(keep_ms[holds[i].inside], keep_ms[holds[i].of]))
			continue;
		keep_ms[holds[i].inside] = keep_ms[holds[i].of];
		if (item)
			warn(loader, item->entry->place,
				"\"%s\" is longer than \"%s\", with which it goes", inside,
				keep_names[holds[i].of]);
	}
}

void load_host(struct loader *loader)
{
	struct section *section = document_first(loader, "host"), nothing = {0};
	struct config_host *host = &loader->config->host;
	size_t errors = loader->faults->errors;
	struct item *item = NULL;

	if (!section) { /* all defaults */
		nothing.kind = "host";
		nothing.name = "";
		nothing.place.file = loader->section_count ? loader->sections[0]->place.file : "";
		section = &nothing;
	}
	host->listen = host->state = "";
	apply_table(loader, section, host);
	settle_keeps(loader, section, host->keep_ms);
	check_token(loader, section, &host->admin_token);
	check_password(loader, section);
	check_proxies(loader, section);
	check_tls(loader, section);
	if (loader->faults->errors == errors)
		check_reach(loader, section);
	while ((item = section_next(section, "include", item)))
		; /* was read by document.c */
	apply_leftovers(loader, section, NULL, 0);
}

/* ---- Time zones --------------------------------------------------------------------------- */

bool zone_known(struct loader *loader, const char *zone)
{
	(void)loader;
	return *zone && zone_find(zone) != NULL;
}

static struct str zone_table(struct loader *loader)
{
	const char *dir = getenv("TZDIR");
	const char *path =
		take_printf(loader, "%s/zone.tab", dir && *dir ? dir : "/usr/share/zoneinfo");
	unsigned mode;

	if (!loader->zones.max) {
		buf_init(&loader->zones, 1 << 20);
		if (files_read_default(NULL, path, &loader->zones, &mode) < 0)
			buf_reset(&loader->zones); /* then there are no hints */
	}
	return (struct str){loader->zones.ptr, loader->zones.len};
}

/* "DE\t+5230+01322\tEurope/Berlin\tmost of Germany" */
static bool zone_line(struct str *rest, struct str *country, struct str *zone)
{
	while (rest->len) {
		const char *end = memchr(rest->ptr, '\n', rest->len);
		struct str line = {rest->ptr, end ? (size_t)(end - rest->ptr) : rest->len};
		const char *tab;
		rest->ptr += line.len + (end != NULL);
		rest->len -= line.len + (end != NULL);
		if (line.len < 4 || *line.ptr == '#' || line.ptr[2] != '\t')
			continue;
		tab = memchr(line.ptr + 3, '\t', line.len - 3);
		if (!tab)
			continue;
		*country = (struct str){line.ptr, 2};
		*zone = (struct str){tab + 1, (size_t)(line.ptr + line.len - tab) - 1};
		tab = memchr(zone->ptr, '\t', zone->len);
		if (tab)
			zone->len = (size_t)(tab - zone->ptr);
		return true;
	}
	return false;
}

/* "Berlin" of Europe/Berlin. */
static bool is_town_of(struct str zone, struct str town)
{
	return town.len && zone.len > town.len && zone.ptr[zone.len - town.len - 1] == '/' &&
	       strncasecmp(zone.ptr + zone.len - town.len, town.ptr, town.len) == 0;
}

const char *zone_hint(struct loader *loader, struct str wrong)
{
	const char *near;
	struct str rest = zone_table(loader), country, zone;
	const char **zones = NULL;
	size_t count = 0;

	while (zone_line(&rest, &country, &zone)) {
		*PUSH(loader, loader->scratch, zones, count) = take_text(loader, zone);
		if (is_town_of(zone, wrong))
			return take_printf(loader, "; did you mean \"%.*s\"?", STR_ARG(zone));
	}
	near = hint(loader, wrong, zones, count);
	return *near ? near
		     : "; it is CONTINENT/TOWN, like Europe/Berlin, which knows of summer time too";
}

/* NULL: not known. */
static const char *zone_country(struct loader *loader, const char *wanted)
{
	struct str rest = zone_table(loader), country, zone;

	while (zone_line(&rest, &country, &zone))
		if (str_is(zone, wanted))
			return take_text(loader, country);
	return NULL;
}

/* ---- Routes: number, agent, event type to tenant ------------------------------------------ */

static int by_value(const void *a, const void *b)
{
	return strcmp(
		((const struct route_entry *)a)->value, ((const struct route_entry *)b)->value);
}

const struct noted *noted_of(const struct loader *loader, const char *element)
{
	size_t i = 0;

	while (loader->noted[i].element != element)
		i++;
	return &loader->noted[i];
}

static void add_routes(struct loader *loader, enum config_route by, const struct config_list *list)
{
	struct routes *routes = &loader->config->routes[by];

	for (size_t i = 0; i < list->count; i++)
		*PUSH(loader, loader->arena, routes->list, routes->count) =
			(struct route_entry){list->list[i], loader->config->tenant_count - 1, NULL,
				noted_of(loader, list->list[i])};
}

static void finish_routes(struct loader *loader, enum config_route by)
{
	struct routes *routes = &loader->config->routes[by];
	const struct config_tenant *tenants = loader->config->tenants;

	if (routes->count)
		qsort(routes->list, routes->count, sizeof(*routes->list), by_value);
	for (size_t i = 0; i < routes->count; i++) {
		struct route_entry *b = &routes->list[i], *a = b - 1;
		b->tenant = &tenants[b->number];
		if (i && strcmp(a->value, b->value) == 0)
			fault(loader, b->noted->place, "\"%s\" leads to [tenant %s] already",
				b->noted->shown, a->tenant->name);
	}
	for (size_t i = 0; i < routes->count; i++)
		routes->list[i].noted = NULL;
}

void route_numbers(struct loader *loader, const struct route_entry *list, size_t count)
{
	struct routes *routes = &loader->config->routes[CONFIG_BY_NUMBER];
	const struct route_entry **more = NULL;
	size_t more_count = 0;

	for (size_t i = 0; i < count; i++) {
		const struct config_tenant *known =
			config_tenant_for(loader->config, CONFIG_BY_NUMBER, str_of(list[i].value));
		if (!list[i].tenant)
			continue; /* told */
		if (!known)
			*PUSH(loader, loader->scratch, more, more_count) = &list[i];
		else if (known != list[i].tenant)
			fault(loader, list[i].noted->place, "\"%s\" leads to [tenant %s] already",
				list[i].noted->shown, known->name);
	}
	for (size_t i = 0; i < more_count; i++)
		*PUSH(loader, loader->arena, routes->list, routes->count) =
			(struct route_entry){more[i]->value, 0, more[i]->tenant, NULL};
	if (more_count)
		qsort(routes->list, routes->count, sizeof(*routes->list), by_value);
}

/* ---- Tenants ------------------------------------------------------------------------------ */

static void load_tenant(struct loader *loader, struct section *section)
{
	struct config *config = loader->config;
	struct config_tenant *tenant =
		PUSH(loader, loader->arena, config->tenants, config->tenant_count);

	tenant->name = tenant->title = section->name;
	tenant->place = section->place;
	tenant->timezone = "UTC";
	memcpy(tenant->keep_ms, config->host.keep_ms, sizeof(tenant->keep_ms));
	if (strcmp(tenant->name, AGENCY) == 0)
		fault(loader, section->place,
			"\"" AGENCY
			"\" is what owns everything without a tenant; choose another name");
	apply_table(loader, section, tenant);
	settle_keeps(loader, section, tenant->keep_ms);
	check_token(loader, section, &tenant->token);
	apply_leftovers(loader, section, NULL, 0);
	add_routes(loader, CONFIG_BY_NUMBER, &tenant->numbers);
	add_routes(loader, CONFIG_BY_AGENT, &tenant->agents);
	add_routes(loader, CONFIG_BY_EVENT_TYPE, &tenant->event_types);
	if (!tenant->country)
		tenant->country = zone_country(loader, tenant->timezone);
	if (!tenant->country)
		tenant->country = "DE";
}

void load_tenants(struct loader *loader)
{
	for (size_t i = 0; i < loader->section_count; i++)
		if (!loader->sections[i]->broken && !strcmp(loader->sections[i]->kind, "tenant"))
			load_tenant(loader, loader->sections[i]);
	finish_routes(loader, CONFIG_BY_NUMBER); /* the list of tenants moves no more */
	finish_routes(loader, CONFIG_BY_AGENT);
	finish_routes(loader, CONFIG_BY_EVENT_TYPE);
}
