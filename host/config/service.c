/* service.c - [service] and [branch]: what can be booked, where, and what is different there.
 *
 * What callers say must mean one thing, and a number must ring in one place; this file tells where
 * they do not. Runs on the thread that loads.
 */
#include "config/internal.h"

#include <string.h>

#define MINUTE_MS 60000
#define STAFF_MAX 200
#define SHORTEST_MS (5 * MINUTE_MS)
#define LONGEST_MS (12 * 60 * MINUTE_MS)

struct spoken { /* what a service is called */
	const struct config_tenant *tenant;
	const char *folded, *shown;
	struct config_place place;
	const struct section *service;
};

struct catalogue_load {
	struct loader *loader;
	struct spoken *spoken;
	size_t spoken_count;
	struct route_entry *numbers; /* number: index of the branch */
	size_t number_count;
};

static bool is_kind(const struct section *section, const char *kind)
{
	return !section->broken && strcmp(section->kind, kind) == 0;
}

static bool has_desk(const struct config *config, const struct config_tenant *tenant)
{
	for (size_t i = 0; i < config->desk_count; i++)
		if (config->desks[i].tenant == tenant)
			return true;
	return false;
}

/* Whose it is, which both must say; the full name is claimed on the way. */
static const struct config_tenant *owner_of(struct loader *loader, struct section *section)
{
	const struct config_tenant *tenant = NULL;
	bool given = section_next(section, "tenant", NULL) != NULL;

	if (given)
		apply_owner(loader, section, &tenant);
	if (tenant && !has_desk(loader->config, tenant))
		warn(loader, section->place,
			"[tenant %s] has no [desk %s], so no caller hears of [%s %s]", tenant->name,
			tenant->name, section->kind, section->name);
	return tenant;
}

/* ---- Amounts ------------------------------------------------------------------------------ */

static bool whole_minutes(struct loader *loader, struct config_place place, int64_t ms)
{
	if (ms % MINUTE_MS == 0)
		return true;
	fault(loader, place,
		"calendars count in minutes; write a duration of whole ones, like 45m");
	return false;
}

static bool read_price(struct loader *loader, struct config_place place, struct str text,
	int64_t *minor, const char **currency)
{
	if (parse_price(text, minor, currency))
		return true;
	*minor = -1;
	*currency = "";
	fault(loader, place,
		"this is no price; write an amount and its currency, like 89,00 EUR or 120 CHF, "
		"without points between thousands");
	return false;
}

static void service_price(
	struct loader *loader, struct section *section, struct config_service *service)
{
	struct item *item = section_next(section, "price", NULL);
	struct value value;

	service->price_minor = -1;
	if (item && value_expand(loader, &value, item->entry, ' '))
		read_price(
			loader, value.place, value.text, &service->price_minor, &service->currency);
}

/* ---- Staff -------------------------------------------------------------------------------- */

static bool split_staff(struct value *value, struct str *name, struct str *event_type)
{
	struct str text = value->text, rest, word;
	const char *colon = text.len ? memrchr(text.ptr, ':', text.len) : NULL;

	if (!colon)
		return false;
	*name = str_trim((struct str){text.ptr, (size_t)(colon - text.ptr)});
	*event_type = str_trim((struct str){colon + 1, (size_t)(text.ptr + text.len - colon) - 1});
	rest = *event_type;
	return name->len && str_word(&rest, &word) && str_eq(word, *event_type);
}

static void add_staff(struct loader *loader, struct config_service *service, struct value *value)
{
	struct config_staff *list = (struct config_staff *)service->staff;
	struct str name, event_type;

	if (!split_staff(value, &name, &event_type)) {
		fault(loader, value->place,
			"expected NAME : EVENT_TYPE, like Dr. Anna Winter : 310460");
		return;
	}
	if (service->staff_count == STAFF_MAX) {
		fault(loader, value->place, "a service has at most %d of its staff named",
			STAFF_MAX);
		return;
	}
	for (size_t i = 0; i < service->staff_count; i++)
		if (str_is(name, list[i].name)) {
			fault(loader, value->place, "\"%s\" is named already for this service",
				value_word(loader, value, name));
			return;
		}
	*PUSH(loader, loader->arena, list, service->staff_count) =
		(struct config_staff){take_text(loader, name), take_text(loader, event_type)};
	service->staff = list;
}

static void read_staff(
	struct loader *loader, struct section *section, struct config_service *service)
{
	struct item *item = NULL, *capacity = section_next(section, "capacity", NULL);
	struct value value;

	while ((item = section_next(section, "staff", item)))
		if (value_expand(loader, &value, item->entry, ' '))
			add_staff(loader, service, &value);
	if (service->staff_count && capacity)
		warn(loader, capacity->entry->place,
			"\"capacity\" counts only where no staff is named, and here some is");
}

/* ---- What it is called -------------------------------------------------------------------- */

/* Lower case, also of the umlauts (U+00C0 to U+00DE) that German names are full of. */
static const char *folded(struct loader *loader, const char *text)
{
	char *copy = take_text(loader, str_of(text));

	for (unsigned char *p = (unsigned char *)copy; *p; p++) {
		if (*p >= 'A' && *p <= 'Z')
			*p += 'a' - 'A';
		else if (*p == 0xc3 && p[1] >= 0x80 && p[1] <= 0x9e && p[1] != 0x97)
			p[1] += 0x20;
	}
	return copy;
}

static void add_spoken(struct catalogue_load *load, const struct spoken *new)
{
	for (size_t i = 0; new->tenant &&i < load->spoken_count; i++) {
		const struct spoken *old = &load->spoken[i];
		if (old->tenant != new->tenant || strcmp(old->folded, new->folded) != 0)
			continue;
		if (old->service != new->service)
			fault(load->loader, new->place,
				"\"%s\" means [service %s] already, at %s:%u; what callers say "
				"must "
				"mean one service",
				new->shown, old->service->name, old->place.file,
				(unsigned)old->place.line);
		return;
	}
	*PUSH(load->loader, load->loader->scratch, load->spoken, load->spoken_count) = *new;
}

static void collect_spoken(
	struct catalogue_load *load, struct section *section, const struct config_service *service)
{
	struct item *title = section_next(section, "title", NULL);
	struct config_place place = title ? title->entry->place : section->place;
	const char *shown = title ? "its title" : service->title;

	if (title && title->entry->segment_count)
		shown = take_text(load->loader, title->entry->segments[0].text);
	add_spoken(load, &(struct spoken){service->tenant, folded(load->loader, service->title),
				 shown, place, section});
	for (size_t i = 0; i < service->aliases.count; i++) {
		const char *alias = service->aliases.list[i];
		const struct noted *noted = noted_of(load->loader, alias);
		add_spoken(load, &(struct spoken){service->tenant, folded(load->loader, alias),
					 noted->shown, noted->place, section});
	}
}

/* ---- Services ----------------------------------------------------------------------------- */

static void load_service(struct catalogue_load *load, struct section *section)
{
	struct loader *loader = load->loader;
	struct config *config = loader->config;
	struct config_service *service =
		PUSH(loader, loader->arena, config->services, config->service_count);
	struct item *duration = section_next(section, "duration", NULL);

	service->name = service->title = section->name;
	service->place = section->place;
	service->currency = service->event_type = "";
	service->tenant = owner_of(loader, section);
	apply_table(loader, section, service);
	if (duration)
		whole_minutes(loader, duration->entry->place, service->length_ms);
	service_price(loader, section, service);
	service->calendar = calendar_of(loader, section, service->tenant, NULL);
	read_staff(loader, section, service);
	collect_spoken(load, section, service);
	apply_leftovers(loader, section, NULL, 0);
}

void load_services(struct loader *loader)
{
	struct catalogue_load load = {.loader = loader};

	for (size_t i = 0; i < loader->section_count; i++)
		if (is_kind(loader->sections[i], "service"))
			load_service(&load, loader->sections[i]);
}

/* ---- What is different in a branch -------------------------------------------------------- */

static const struct config_service *service_named(struct loader *loader, const struct value *value,
	struct str name, const struct config_branch *branch)
{
	const struct config *config = loader->config;
	const char **names = NULL;
	size_t count = 0;

	for (size_t i = 0; i < config->service_count; i++) {
		if (config->services[i].tenant != branch->tenant)
			continue;
		if (str_is(name, config->services[i].name))
			return &config->services[i];
		*PUSH(loader, loader->scratch, names, count) = config->services[i].name;
	}
	fault(loader, value->place, "there is no [service %s] of this tenant%s",
		value_word(loader, value, name), hint(loader, name, names, count));
	return NULL;
}

static void override_duration(
	struct loader *loader, struct config_override *out, const struct config_arg *arg)
{
	int64_t ms;

	if (!parse_ms(arg->value.text, &ms) || ms < SHORTEST_MS || ms > LONGEST_MS)
		fault(loader, arg->value.place,
			"expected a duration from 5m to 12h, like duration=45m");
	else if (whole_minutes(loader, arg->value.place, ms))
		out->length_ms = ms;
}

/* A branch's price has no currency of its own in the catalogue. */
static void override_price(
	struct loader *loader, struct config_override *out, const struct config_arg *arg)
{
	const char *currency = "", *expected = out->service->currency;

	if (!read_price(loader, arg->value.place, arg->value.text, &out->price_minor, &currency))
		return;
	if (!*expected)
		fault(loader, arg->value.place,
			"[service %s] has no price; give it one there first", out->service->name);
	else if (strcmp(currency, expected) != 0)
		fault(loader, arg->value.place, "the price of [service %s] is in %s, not in %s",
			out->service->name, expected, currency);
}

static void override_event_type(
	struct loader *loader, struct config_override *out, const struct config_arg *arg)
{
	struct str rest = arg->value.text, word;

	if (str_word(&rest, &word) && str_eq(word, arg->value.text))
		out->event_type = arg->value.text.ptr;
	else
		fault(loader, arg->value.place, "expected one word, the calendar's id");
}

static void override_arg(struct loader *loader, struct config_override *out,
	const struct value *value, const struct config_arg *arg)
{
	static const char *const known[] = {"duration", "price", "event_type", "active"};
	bool active;

	if (arg->is_sql)
		fault(loader, arg->value.place, "an expression does not work here");
	else if (strcmp(arg->name, "duration") == 0)
		override_duration(loader, out, arg);
	else if (strcmp(arg->name, "price") == 0)
		override_price(loader, out, arg);
	else if (strcmp(arg->name, "event_type") == 0)
		override_event_type(loader, out, arg);
	else if (strcmp(arg->name, "active") == 0 && parse_bool(arg->value.text, &active))
		out->active = active;
	else if (strcmp(arg->name, "active") == 0)
		fault(loader, arg->value.place, "expected active=yes or active=no");
	else
		fault(loader, arg->value.place,
			"a branch cannot override \"%s\"; expected "
			"duration, price, event_type or active%s",
			value_hidden(value, value->text) ? "${…}" : arg->name,
			hint(loader, str_of(arg->name), known, 4));
}

static void add_override(
	struct loader *loader, struct config_branch *branch, const struct value *value)
{
	struct config_override *list = (struct config_override *)branch->overrides;
	struct config_override new = {.length_ms = -1, .price_minor = -1, .active = -1};
	const struct config_arg *args = NULL;
	struct str rest = value->text, name;
	size_t count = 0;

	if (!str_word(&rest, &name)) {
		fault(loader, value->place,
			"expected a service and what is different, like: override = cleaning "
			"duration=45m");
		return;
	}
	new.service = service_named(loader, value, name, branch);
	if (!args_parse(loader, &args, &count, value, (size_t)(rest.ptr - value->text.ptr)) ||
		!new.service)
		return;
	for (size_t i = 0; i < branch->override_count; i++)
		if (list[i].service == new.service) {
			fault(loader, value->place,
				"[service %s] is overridden already in this branch",
				new.service->name);
			return;
		}
	for (size_t i = 0; i < count; i++)
		override_arg(loader, &new, value, &args[i]);
	if (!count)
		fault(loader, value->place,
			"what is different? Like: override = %s duration=45m active=no",
			new.service->name);
	*PUSH(loader, loader->arena, list, branch->override_count) = new;
	branch->overrides = list;
}

/* ---- Branches ----------------------------------------------------------------------------- */

static void add_number(struct catalogue_load *load, const char *number)
{
	const struct config *config = load->loader->config;
	size_t index = config->branch_count - 1;
	const struct noted *noted = noted_of(load->loader, number);

	for (size_t i = 0; i < load->number_count; i++)
		if (strcmp(load->numbers[i].value, number) == 0) {
			fault(load->loader, noted->place, "\"%s\" rings in [branch %s] already",
				noted->shown, config->branches[load->numbers[i].number].name);
			return;
		}
	*PUSH(load->loader, load->loader->scratch, load->numbers, load->number_count) =
		(struct route_entry){number, index, config->branches[index].tenant, noted};
}

static void load_branch(struct catalogue_load *load, struct section *section)
{
	struct loader *loader = load->loader;
	struct config *config = loader->config;
	struct config_branch *branch =
		PUSH(loader, loader->arena, config->branches, config->branch_count);
	struct item *item = NULL;
	struct value value;

	branch->name = branch->title = section->name;
	branch->place = section->place;
	branch->address = branch->agent = branch->state = "";
	branch->agent_version = -1;
	branch->tenant = owner_of(loader, section);
	apply_table(loader, section, branch);
	for (size_t i = 0; i < branch->numbers.count; i++)
		add_number(load, branch->numbers.list[i]);
	check_state(loader, section, branch->state, branch->tenant);
	while ((item = section_next(section, "override", item)))
		if (value_expand(loader, &value, item->entry, ' ') && branch->tenant)
			add_override(loader, branch, &value);
	if (branch->agent_version >= 0 && !*branch->agent)
		fault(loader, section_next(section, "agent_version", NULL)->entry->place,
			"\"agent_version\" is a version of \"agent\", and there is none");
	apply_leftovers(loader, section, NULL, 0);
}

void load_branches(struct loader *loader)
{
	struct catalogue_load load = {.loader = loader};

	for (size_t i = 0; i < loader->section_count; i++)
		if (is_kind(loader->sections[i], "branch"))
			load_branch(&load, loader->sections[i]);
	route_numbers(loader, load.numbers, load.number_count);
}
