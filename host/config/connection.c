/* connection.c - [connection] and [mapping]: owner, plugin, options, limits, polls; event types.
 *
 * Runs on the thread that loads.
 */
#include "config/internal.h"

#include <string.h>
#include "klinke/plugin.h"

#define POLL "poll_"

/* What the host itself emits; sdk/events describes each. A name stands here from the day on that it
 * happens: a pipeline on anything else would wait for ever. */
const char *const config_host_events[] = {
	"calendar.failed", "connection.failed", "plugin.failed", "job.dead", "job.parked", NULL};

/* ---- Event types --------------------------------------------------------------------------------
 */

static void add_event(struct loader *loader, struct str event)
{
	for (size_t i = 0; i < loader->event_count; i++)
		if (str_is(event, loader->events[i]))
			return;
	*PUSH(loader, loader->scratch, loader->events, loader->event_count) =
		take_text(loader, event);
}

static void add_events(struct loader *loader, const char *words)
{
	struct str rest = str_of(words), word;

	while (str_word(&rest, &word))
		add_event(loader, word);
}

static void add_host_events(struct loader *loader)
{
	const char *const *event = loader->ctx.events ? loader->ctx.events : config_host_events;

	for (; *event; event++)
		add_event(loader, str_of(*event));
	for (size_t i = 0; i < loader->ctx.builtin_count; i++)
		add_events(loader, loader->ctx.builtins[i]->events);
}

/* A plugin that does not load today may make any event; its pipelines must not be refused. */
static void add_disabled_events(struct loader *loader)
{
	static const char *const all =
		"call.inbound call.started call.transcript call.function call.ended call.analyzed "
		"call.transferred booking.requested booking.created booking.rescheduled "
		"booking.cancelled booking.rejected booking.noshow meeting.started meeting.ended "
		"message.received message.sent message.delivered message.read message.failed "
		"eventtype.changed";

	add_events(loader, all);
}

static const struct config_key_place *key_places(
	struct loader *loader, const struct section *section, size_t *count)
{
	struct config_key_place *keys = NULL;

	*count = 0;
	for (size_t i = 0; i < section->item_count; i++)
		*PUSH(loader, loader->arena, keys, *count) = (struct config_key_place){
			section->items[i].entry->key, section->items[i].entry->place};
	return keys;
}

/* ---- Connections --------------------------------------------------------------------------------
 */

static void add_poll(struct loader *loader, struct config_connection *connection,
	const struct entry *entry, const char *op)
{
	struct config_poll *poll;
	struct value value;
	int64_t every;

	if (!value_expand(loader, &value, entry, ' '))
		return;
	if (!parse_ms(value.text, &every) || every < 1000) {
		fault(loader, value.place,
			"\"%s\" is no value for \"%s\"; expected a duration of at least 1s, like "
			"5m",
			value_shown(loader, &value), entry->key);
		return;
	}
	for (size_t i = 0; i < connection->poll_count; i++)
		if (strcmp(connection->polls[i].op, op) == 0) {
			fault(loader, entry->place, "\"%s\" is given already in line %u",
				entry->key, (unsigned)connection->polls[i].place.line);
			return;
		}
	struct config_poll *polls = (struct config_poll *)connection->polls;
	poll = PUSH(loader, loader->arena, polls, connection->poll_count);
	*poll = (struct config_poll){op, every, entry->place};
	connection->polls = polls;
}

static const struct plugin_op *poll_named(const struct plugin_info *info, const char *name)
{
	const struct plugin_op *op = plugin_op_find(info, name);

	return op && (op->kind & 0xff) == KL_OP_POLL ? op : NULL;
}

/* poll_calls is the poll "calls", or the poll "poll_calls": plugins name them either way. */
static const char *poll_op(
	struct loader *loader, const struct plugin_info *info, const struct entry *entry)
{
	const struct plugin_op *op = poll_named(info, entry->key + strlen(POLL));
	const char **polls = NULL;
	size_t count = 0;

	op = op ? op : poll_named(info, entry->key);
	if (op)
		return op->name;
	for (size_t i = 0; i < info->op_count; i++)
		if ((info->ops[i].kind & 0xff) == KL_OP_POLL)
			*PUSH(loader, loader->scratch, polls, count) = take_printf(loader, "%s%s",
				strncmp(info->ops[i].name, POLL, strlen(POLL)) ? POLL : "",
				info->ops[i].name);
	fault(loader, entry->place, "plugin \"%s\" has no poll \"%s\"%s", info->name,
		entry->key + strlen(POLL), hint(loader, str_of(entry->key), polls, count));
	return NULL;
}

static void load_polls(
	struct loader *loader, struct config_connection *connection, struct section *section)
{
	for (size_t i = 0; i < section->item_count; i++) {
		struct item *item = &section->items[i];
		const char *op = item->entry->key;
		if (strncmp(op, POLL, strlen(POLL)) != 0 || !op[strlen(POLL)])
			continue;
		item->used = true;
		if (connection->info)
			op = poll_op(loader, connection->info, item->entry);
		if (op)
			add_poll(loader, connection, item->entry, op);
	}
}

static void check_name(struct loader *loader, const struct section *section)
{
	for (size_t i = 0; i < loader->ctx.builtin_count; i++)
		if (strcmp(loader->ctx.builtins[i]->name, section->name) == 0)
			fault(loader, section->place,
				"\"%s\" is the host's own; choose another name", section->name);
}

static void load_connection(struct loader *loader, struct section *section)
{
	struct config *config = loader->config;
	struct config_connection *connection =
		PUSH(loader, loader->arena, config->connections, config->connection_count);
	struct plugin_use use = {0};

	connection->name = section->name;
	connection->place = section->place;
	connection->keys = key_places(loader, section, &connection->key_count);
	connection->plugin = "";
	connection->options = STR("{}");
	connection->full = apply_owner(loader, section, &connection->tenant);
	check_name(loader, section);
	apply_table(loader, section, connection);
	const char *plugin = plugin_of(loader, section, &connection->info, &connection->disabled);
	if (!plugin) { /* its keys and events mean nothing yet; one fault is enough */
		add_disabled_events(loader);
		return;
	}
	connection->plugin = plugin;
	if (connection->info)
		connection->info = declared_info(loader, connection->info, section);
	use.info = connection->info;
	load_polls(loader, connection, section);
	options_load(loader, section, &use);
	connection->options = use.options;
	connection->secrets = use.secrets;
	connection->secret_count = use.secret_count;
	if (use.info)
		add_events(loader, use.info->events);
	else
		add_disabled_events(loader);
}

void load_connections(struct loader *loader)
{
	add_host_events(loader);
	if (loader->lost) /* it may have been a connection: one fault is enough */
		add_disabled_events(loader);
	for (size_t i = 0; i < loader->section_count; i++)
		if (!loader->sections[i]->broken &&
			!strcmp(loader->sections[i]->kind, "connection"))
			load_connection(loader, loader->sections[i]);
}

/* ---- Mappings -----------------------------------------------------------------------------------
 */

static void load_mapping(struct loader *loader, struct section *section)
{
	struct config *config = loader->config;
	struct config_mapping *mapping =
		PUSH(loader, loader->arena, config->mappings, config->mapping_count);
	struct plugin_use use = {.mapping = true};

	mapping->name = section->name;
	mapping->place = section->place;
	mapping->keys = key_places(loader, section, &mapping->key_count);
	mapping->plugin = "";
	mapping->options = STR("{}");
	mapping->full = apply_owner(loader, section, &mapping->tenant);
	apply_table(loader, section, mapping);
	const char *plugin = plugin_of(loader, section, &mapping->info, &mapping->disabled);
	if (!plugin)
		return;
	mapping->plugin = plugin;
	if (mapping->info && !mapping->info->can_map)
		fault(loader, section->place, "plugin \"%s\" of [mapping %s] does not map", plugin,
			section->name);
	use.info = mapping->info;
	options_load(loader, section, &use);
	mapping->options = use.options;
	mapping->fields = use.fields;
	mapping->field_count = use.field_count;
}

void load_mappings(struct loader *loader)
{
	for (size_t i = 0; i < loader->section_count; i++)
		if (!loader->sections[i]->broken && !strcmp(loader->sections[i]->kind, "mapping"))
			load_mapping(loader, loader->sections[i]);
}
