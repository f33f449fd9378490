/* config.c - a loaded configuration: counted references and look-ups. Nothing here changes it.
 * Any thread.
 */
#include "config/internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

const struct config *config_ref(const struct config *config)
{
	struct config *counted = (struct config *)config;

	atomic_fetch_add_explicit(&counted->refs, 1, memory_order_relaxed);
	return config;
}

static void wipe_secrets(struct secret_block *block)
{
	while (block) {
		struct secret_block *next = block->next;
		explicit_bzero(block->bytes, block->len);
		free(block);
		block = next;
	}
}

void config_unref(const struct config *config)
{
	struct config *counted = (struct config *)config;
	unsigned before;

	if (!counted)
		return;
	before = atomic_fetch_sub_explicit(&counted->refs, 1, memory_order_acq_rel);
	assert(before > 0);
	if (before > 1)
		return;
	wipe_secrets(counted->secrets);
	arena_destroy(counted->arena);
	free(counted);
}

struct str config_snapshot(const struct config *config)
{
	return config->snapshot;
}

const struct config_host *config_host(const struct config *config)
{
	return &config->host;
}

const struct config_tenant *config_tenants(const struct config *config, size_t *count)
{
	*count = config->tenant_count;
	return config->tenants;
}

const struct config_connection *config_connections(const struct config *config, size_t *count)
{
	*count = config->connection_count;
	return config->connections;
}

const struct config_mapping *config_mappings(const struct config *config, size_t *count)
{
	*count = config->mapping_count;
	return config->mappings;
}

const struct config_pipeline *config_pipelines(const struct config *config, size_t *count)
{
	*count = config->pipeline_count;
	return config->pipelines;
}

const struct config_service *config_services(const struct config *config, size_t *count)
{
	*count = config->service_count;
	return config->services;
}

const struct config_branch *config_branches(const struct config *config, size_t *count)
{
	*count = config->branch_count;
	return config->branches;
}

/* ---- By name ------------------------------------------------------------------------------ */

struct wanted { /* "tenant/name" in two pieces, so that nothing has to be built */
	const char *owner, *name;
};

static int compare_full(const struct wanted *wanted, const char *full)
{
	size_t len = strlen(wanted->owner);
	int order = strncmp(wanted->owner, full, len);

	if (order)
		return order;
	if (!wanted->name)
		return -(full[len] != '\0');
	if (full[len] != '/')
		return '/' - (unsigned char)full[len];
	return strcmp(wanted->name, full + len + 1);
}

#define FIND(function, type, field)                                                                \
	static int compare_##function(const void *key, const void *element)                        \
	{                                                                                          \
		return compare_full(key, (*(const struct type *const *)element)->field);           \
	}                                                                                          \
	static const struct type *function(                                                        \
		const struct type *const *list, size_t count, struct wanted wanted)                \
	{                                                                                          \
		const struct type *const *found =                                                  \
			count && wanted.owner                                                      \
				? bsearch(&wanted, list, count, sizeof(*list), compare_##function) \
				: NULL;                                                            \
		return found ? *found : NULL;                                                      \
	}

FIND(find_tenant, config_tenant, name)
FIND(find_desk, config_desk, tenant->name)
FIND(find_connection, config_connection, full)
FIND(find_mapping, config_mapping, full)
FIND(find_pipeline, config_pipeline, full)

const struct config_tenant *config_tenant(const struct config *config, const char *name)
{
	return find_tenant(
		config->tenants_by_name, config->tenant_count, (struct wanted){name, NULL});
}

const struct config_desk *config_desk_for(
	const struct config *config, const struct config_tenant *tenant)
{
	return find_desk(config->desks_by_name, config->desk_count,
		(struct wanted){tenant ? tenant->name : NULL, NULL});
}

const struct config_connection *config_connection(const struct config *config, const char *full)
{
	return find_connection(
		config->connections_by_name, config->connection_count, (struct wanted){full, NULL});
}

const struct config_mapping *config_mapping(const struct config *config, const char *full)
{
	return find_mapping(
		config->mappings_by_name, config->mapping_count, (struct wanted){full, NULL});
}

const struct config_pipeline *config_pipeline(const struct config *config, const char *full)
{
	return find_pipeline(
		config->pipelines_by_name, config->pipeline_count, (struct wanted){full, NULL});
}

const struct config_connection *config_connection_for(
	const struct config *config, const struct config_tenant *tenant, const char *name)
{
	const struct config_connection *const *list = config->connections_by_name;
	const struct config_connection *own = NULL;

	if (tenant)
		own = find_connection(
			list, config->connection_count, (struct wanted){tenant->name, name});
	return own ? own
		   : find_connection(list, config->connection_count, (struct wanted){AGENCY, name});
}

const struct config_mapping *config_mapping_for(
	const struct config *config, const struct config_tenant *tenant, const char *name)
{
	const struct config_mapping *const *list = config->mappings_by_name;
	const struct config_mapping *own = NULL;

	if (tenant)
		own = find_mapping(
			list, config->mapping_count, (struct wanted){tenant->name, name});
	return own ? own : find_mapping(list, config->mapping_count, (struct wanted){AGENCY, name});
}

const struct config_secret *config_secret(
	const struct config_connection *connection, const char *option)
{
	for (size_t i = 0; i < connection->secret_count; i++)
		if (strcmp(connection->secrets[i].option, option) == 0)
			return &connection->secrets[i];
	return NULL;
}

/* ---- By event ----------------------------------------------------------------------------- */

static int compare_route(const void *key, const void *element)
{
	const struct str *value = key;
	const char *text = ((const struct route_entry *)element)->value;
	int order = strncmp(value->ptr, text, value->len);

	return order ? order : -(text[value->len] != '\0');
}

const struct config_tenant *config_tenant_for(
	const struct config *config, enum config_route by, struct str value)
{
	const struct routes *routes = &config->routes[by];
	const struct route_entry *found = NULL;
	char number[20];

	if (by == CONFIG_BY_NUMBER && parse_number(value, number))
		value = str_of(number);
	if (value.len && routes->count && !memchr(value.ptr, '\0', value.len))
		found = bsearch(
			&value, routes->list, routes->count, sizeof(*routes->list), compare_route);
	return found ? found->tenant : NULL;
}

struct config_pipelines config_pipelines_for(
	const struct config *config, const char *event_type, const struct config_tenant *tenant)
{
	size_t low = 0, high = config->set_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct pipeline_set *set = &config->sets[middle];
		int order = pipeline_set_compare(set, event_type, tenant);
		if (order == 0)
			return set->pipelines;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return (struct config_pipelines){NULL, 0};
}
