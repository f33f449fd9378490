/* load.c - the way in: files or a snapshot to struct config, or to faults.
 *
 * Never leaves anything half loaded: what is answered is whole, or nothing. Everything read is
 * wiped before it returns. Runs on the thread that calls it.
 */
#include "config/internal.h"

#include <stdlib.h>
#include <string.h>

#define CONFIG_MAX_BYTES ((size_t)256 << 20)

#define BY_FULL_NAME(name, type)                                                                   \
	static int name(const void *a, const void *b)                                              \
	{                                                                                          \
		return strcmp((*(const struct type *const *)a)->full,                              \
			(*(const struct type *const *)b)->full);                                   \
	}
BY_FULL_NAME(by_connection, config_connection)
BY_FULL_NAME(by_mapping, config_mapping)
BY_FULL_NAME(by_pipeline, config_pipeline)

static int by_tenant(const void *a, const void *b)
{
	return strcmp((*(const struct config_tenant *const *)a)->name,
		(*(const struct config_tenant *const *)b)->name);
}

static int by_desk(const void *a, const void *b)
{
	return strcmp((*(const struct config_desk *const *)a)->tenant->name,
		(*(const struct config_desk *const *)b)->tenant->name);
}

#define INDEX(loader, list, count, index, compare)                                                 \
	do {                                                                                       \
		(index) = take((loader), (loader)->arena, ((count) + 1) * sizeof(*(index)));       \
		for (size_t i = 0; i < (count); i++)                                               \
			(index)[i] = &(list)[i];                                                   \
		qsort((index), (count), sizeof(*(index)), (compare));                              \
	} while (0)

static void index_names(struct loader *loader)
{
	struct config *c = loader->config;

	INDEX(loader, c->tenants, c->tenant_count, c->tenants_by_name, by_tenant);
	INDEX(loader, c->connections, c->connection_count, c->connections_by_name, by_connection);
	INDEX(loader, c->mappings, c->mapping_count, c->mappings_by_name, by_mapping);
	INDEX(loader, c->pipelines, c->pipeline_count, c->pipelines_by_name, by_pipeline);
	INDEX(loader, c->desks, c->desk_count, c->desks_by_name, by_desk);
}

static void interpret(struct loader *loader)
{
	document_resolve(loader);
	load_host(loader);
	if (loader->ctx.host)
		loader->ctx.host(loader->ctx.user, config_host(loader->config));
	load_tenants(loader);
	load_connections(loader);
	load_mappings(loader);
	load_desks(loader);
	load_services(loader);
	load_branches(loader);
	load_pipelines(loader);
	if (loader->ctx.look)
		loader->ctx.look(loader->ctx.user, loader->config);
	if (loader->faults->errors)
		return;
	index_names(loader);
	index_pipelines(loader);
	snapshot_make(loader);
}

/* A frame of its own, because what it has on the stack is lost when memory runs out. */
static bool load(struct loader *loader, const char *path, struct str snapshot)
{
	if (setjmp(loader->nomem))
		return false;
	if (path) {
		document_read(loader, path);
		/* What an editor leaves on a full disk. */
		if (!loader->section_count && !loader->faults->errors)
			warn(loader, (struct config_place){path, 1, 1},
				"there is no [section] in it; klinke help config tells what there "
				"can be");
	} else {
		source_parse(loader, "", snapshot);
	}
	interpret(loader);
	return true;
}

static bool loader_init(struct loader *loader)
{
	loader->base = "";
	loader->scratch = arena_create(CONFIG_MAX_BYTES);
	loader->config = calloc(1, sizeof(*loader->config));
	if (!loader->config)
		return false;
	atomic_init(&loader->config->refs, 1);
	loader->arena = loader->config->arena = arena_create(CONFIG_MAX_BYTES);
	return loader->arena && loader->scratch;
}

static void loader_finish(struct loader *loader)
{
	for (struct source *source = loader->sources; source; source = source->next)
		wipe(&source->bytes);
	wipe(&loader->secret_file);
	buf_finish(&loader->zones);
	arena_destroy(loader->scratch);
}

static struct config *load_with(struct config_faults *faults, const char *path, struct str snapshot,
	const struct config_context *ctx)
{
	struct loader loader = {.faults = faults, .from_snapshot = !path};

	if (ctx)
		loader.ctx = *ctx;
	if (!loader_init(&loader) || !load(&loader, path, snapshot))
		fault(&loader, (struct config_place){path, 0, 0},
			"no memory, or more than %zu MB of configuration", CONFIG_MAX_BYTES >> 20);
	loader_finish(&loader);
	faults_sort(faults);
	if (!faults->errors)
		return loader.config;
	config_unref(loader.config);
	return NULL;
}

struct config *config_load(
	struct config_faults *faults, const char *path, const struct config_context *ctx)
{
	return load_with(faults, path, (struct str){NULL, 0}, ctx);
}

struct config *config_load_text(
	struct config_faults *faults, struct str snapshot, const struct config_context *ctx)
{
	return load_with(faults, NULL, snapshot, ctx);
}
