/* desk.c - [desk]: how a tenant's callers are answered, and from which calendar.
 *
 * Knows which operations a calendar must have, and the names of Germany's states (their holidays
 * are the desk room's). Runs on the thread that loads.
 */
#include "config/internal.h"

#include <string.h>
#include "klinke/plugin.h"

/* ---- Federal states ----------------------------------------------------------------------- */

/* -K, -A: communities that keep a day more, as desk/holiday.h says. */
static const char *const states[][3] = {{"BW", "Baden-Württemberg", "Baden-Wuerttemberg"},
	{"BY", "Bayern", "Bavaria"}, {"BE", "Berlin", "BLN"}, {"BB", "Brandenburg", "BRB"},
	{"HB", "Bremen", "BRE"}, {"HH", "Hamburg", "HAM"}, {"HE", "Hessen", "Hesse"},
	{"MV", "Mecklenburg-Vorpommern", "Mecklenburg"}, {"NI", "Niedersachsen", "NDS"},
	{"NW", "Nordrhein-Westfalen", "NRW"}, {"RP", "Rheinland-Pfalz", "RLP"},
	{"SL", "Saarland", "SAAR"}, {"SN", "Sachsen", "Saxony"},
	{"ST", "Sachsen-Anhalt", "Saxony-Anhalt"}, {"SH", "Schleswig-Holstein", "SLH"},
	{"TH", "Thüringen", "Thuringia"}, {"BY-K", "", ""}, {"BY-A", "Augsburg", ""},
	{"SN-K", "", ""}, {"TH-K", "", ""}};

#define STATES (sizeof(states) / sizeof(*states))

bool state_known(const char *state)
{
	for (size_t i = 0; i < STATES; i++)
		if (strcmp(states[i][0], state) == 0)
			return true;
	return false;
}

/* People write its name, or lower case; the code is what they are told. */
const char *state_hint(struct loader *loader, struct str state)
{
	const char *all[3 * STATES], *nearest;

	for (size_t i = 0; i < 3 * STATES; i++)
		all[i] = states[i / 3][i % 3];
	nearest = config_suggest(state, all, 3 * STATES);
	for (size_t i = 0; nearest && i < 3 * STATES; i++)
		if (all[i] == nearest)
			return take_printf(loader, "; did you mean \"%s\"?", states[i / 3][0]);
	return "; write BW, BY, BE, BB, HB, HH, HE, MV, NI, NW, RP, SL, SN, ST, SH or TH";
}

void check_state(struct loader *loader, struct section *section, const char *state,
	const struct config_tenant *tenant)
{
	if (tenant && *state && strcmp(tenant->country, "DE") != 0)
		fault(loader, section_next(section, "state", NULL)->entry->place,
			"federal states are known of Germany only, and [tenant %s] is in %s; leave "
			"\"state\" out",
			tenant->name, tenant->country);
}

/* ---- The calendar ------------------------------------------------------------------------- */

static bool is_calendar(const struct config_connection *connection)
{
	const struct plugin_op *slots, *book;

	if (!connection->info)
		return true; /* does not load: nobody knows */
	slots = plugin_op_find(connection->info, "slots");
	book = plugin_op_find(connection->info, "book");
	return slots && book && (slots->kind & 0xff) != KL_OP_POLL &&
	       (book->kind & 0xff) != KL_OP_POLL;
}

/* The tenant's own, else the agency's. */
static const struct config_connection *named(
	const struct config *config, const struct config_tenant *tenant, struct str name)
{
	const struct config_connection *shared = NULL;

	for (size_t i = 0; i < config->connection_count; i++) {
		const struct config_connection *connection = &config->connections[i];
		if (!str_is(name, connection->name))
			continue;
		if (connection->tenant == tenant)
			return connection;
		if (!connection->tenant)
			shared = connection;
	}
	return shared;
}

static const char *calendar_hint(
	struct loader *loader, const struct config_tenant *tenant, struct str name)
{
	const struct config *config = loader->config;
	const char **names = NULL, *nearest;
	size_t count = 0;

	for (size_t i = 0; i < config->connection_count; i++) {
		const struct config_connection *connection = &config->connections[i];
		if ((!connection->tenant || connection->tenant == tenant) &&
			is_calendar(connection))
			*PUSH(loader, loader->scratch, names, count) = connection->name;
	}
	nearest = count ? config_suggest(name, names, count) : NULL;
	if (!nearest && count)
		nearest = names[0];
	return nearest ? take_printf(loader, "; did you mean \"%s\"?", nearest) : "";
}

const struct config_connection *calendar_of(struct loader *loader, struct section *section,
	const struct config_tenant *tenant, const char *otherwise)
{
	struct item *item = section_next(section, "calendar", NULL);
	struct value value = {.text = str_of(otherwise), .place = section->place};
	const struct config_connection *found;
	const char *shown = otherwise;

	if ((!item && !otherwise) || !tenant)
		return NULL;
	if (item && !value_expand(loader, &value, item->entry, ' '))
		return NULL;
	if (item)
		shown = value_shown(loader, &value);
	found = named(loader->config, tenant, value.text);
	if (!found)
		fault(loader, value.place,
			"[tenant %s] and the agency have no [connection %s] to be its calendar%s",
			tenant->name, shown, calendar_hint(loader, tenant, value.text));
	else if (!is_calendar(found))
		fault(loader, value.place,
			"[connection %s] is no calendar: plugin \"%s\" has no operations \"slots\" "
			"and \"book\"%s",
			shown, found->plugin, calendar_hint(loader, tenant, value.text));
	return found;
}

/* ---- Desks -------------------------------------------------------------------------------- */

static void read_proof(struct loader *loader, struct config_desk *desk, const struct value *value)
{
	static const char *const known[] = {"number", "name-date", "none"};
	struct str rest = value->text, word;
	bool *proofs[] = {&desk->by_number, &desk->by_name_date, &(bool){false}};
	size_t words = 0, n;

	for (; str_word(&rest, &word); words++) {
		for (n = 0; n < 3 && !str_is(word, known[n]); n++)
			;
		if (n < 3)
			*proofs[n] = true;
		else
			fault(loader, value_place(value, (size_t)(word.ptr - value->text.ptr)),
				"\"%s\" proves nobody; expected number, name-date, or none%s",
				value_word(loader, value, word), hint(loader, word, known, 3));
	}
	if (!words || (words > 1 && *proofs[2]))
		fault(loader, value->place,
			"\"identity\" is number, name-date, or both of them; or none alone");
}

static void read_identity(struct loader *loader, struct section *section, struct config_desk *desk)
{
	struct item *item = section_next(section, "identity", NULL);
	struct value value = {.text = STR("number, name-date")};

	if (!item || value_expand(loader, &value, item->entry, ' '))
		read_proof(loader, desk, &value);
}

static const struct config_tenant *tenant_named(
	struct loader *loader, const struct section *section)
{
	const struct config *config = loader->config;
	const char **names =
		take(loader, loader->scratch, (config->tenant_count + 1) * sizeof(*names));

	for (size_t i = 0; i < config->tenant_count; i++) {
		if (strcmp(config->tenants[i].name, section->name) == 0)
			return &config->tenants[i];
		names[i] = config->tenants[i].name;
	}
	fault(loader, section->place,
		"[desk %s] is the desk of that tenant, and there is no [tenant %s]%s",
		section->name, section->name,
		hint(loader, str_of(section->name), names, config->tenant_count));
	return NULL;
}

static void load_desk(struct loader *loader, struct section *section)
{
	struct config *config = loader->config;
	struct config_desk *desk = PUSH(loader, loader->arena, config->desks, config->desk_count);

	desk->tenant = tenant_named(loader, section);
	desk->place = section->place;
	desk->state = "";
	apply_table(loader, section, desk);
	desk->calendar = calendar_of(loader, section, desk->tenant, "calendar");
	read_identity(loader, section, desk);
	check_state(loader, section, desk->state, desk->tenant);
	apply_leftovers(loader, section, NULL, 0);
}

void load_desks(struct loader *loader)
{
	for (size_t i = 0; i < loader->section_count; i++)
		if (!loader->sections[i]->broken && !strcmp(loader->sections[i]->kind, "desk"))
			load_desk(loader, loader->sections[i]);
}
