/* crew.h - the inside of plugin.h: who waits for what, and which workers there are.
 *
 *   plugins   the set: loop handles, connection to the zygote, clock tick
 *   plugin    one name: its state, editions of its file, queues, workers
 *   edition   one version of the file, as it was when it was read
 *   hand      the host's end of one worker
 *   flight    one call on its way
 *
 * All of it belongs to the loop's thread.
 */
#ifndef PLUGIN_CREW_H
#define PLUGIN_CREW_H

#include "plugin/plugin.h"
#include "plugin/load.h"
#include "plugin/start.h"

struct flight {
	struct flight *next;
	uint64_t id;
	struct plugin_call *call; /* NULL: its caller has been answered, the worker not yet */
	unsigned tries;           /* workers that died under it without its fault */
	unsigned timeout_ms;
	int64_t deadline_ms; /* monotonic */
};

struct queue {
	struct flight *head, *last;
	uint32_t count;
};
void queue_push(struct queue *queue, struct flight *flight);
struct flight *queue_pop(struct queue *queue); /* NULL: empty */

struct edition {
	struct edition *next;
	int copy; /* -1: closed, no more workers of it */
	struct arena *arena;
	struct plugin_info info;
	struct loaded *loaded; /* inline isolation only */
	bool ready;
};

enum hand_state {
	HAND_STARTING,
	HAND_READY,
	HAND_RETIRED, /* gets no more calls; ends when it has answered */
	HAND_GONE     /* its wire is closed, its end not yet told */
};

struct hand {
	struct hand *next;
	struct plugin *plugin;
	struct edition *edition;
	enum hand_state state;
	bool urgent, was_ready, watching_write;
	bool starved;    /* it was loaded, but there was no memory to take it over */
	bool orphan;     /* it ended with the zygote: nobody's fault */
	uint32_t number; /* with the zygote */
	struct started worker;
	uv_poll_t poll;
	struct buf in, out;
	size_t sent; /* of out */
	struct queue flights;
	struct buf known;     /* a byte for each configuration number: 1, it has it */
	int64_t since_ms;     /* when it was started, or last began or answered something */
	uint64_t killed_for;  /* id of the call that took too long; 0: none */
	char killed_why[120]; /* else, if we killed it */
};

struct plugin_config {
	struct plugin_config *next;
	struct plugin *plugin;
	uint64_t number;
	char *text;
	size_t len;
	struct arena *arena; /* inline isolation only */
	const struct json *tree;
};

struct plugin {
	struct plugin *next;
	struct plugins *plugins;
	char name[64];
	char path[512];
	struct plugin_settings settings;
	enum plugin_state state;
	char problem[480];
	struct edition *current, *loading, *editions;
	struct queue waiting, urgent;
	struct hand *hands;
	struct plugin_config *configs;
	bool load_again;       /* when there is a zygote */
	int64_t respawn_at_ms; /* 0: not waiting to */
	int64_t load_at_ms;    /* again, since something was lacking; 0: not */
	unsigned load_tries;
	unsigned deaths;       /* in a row */
	int64_t last_death_ms; /* monotonic */
	char last_death[320];
	struct plugin_stats stats;
};

struct setting { /* made before the plugin is */
	struct setting *next;
	char name[64];
	struct plugin_settings settings;
};

struct plugins {
	struct plugins_options options;
	char *directories, *run_directory;
	int client; /* connection to the zygote; -1: none */
	uv_poll_t control;
	bool control_closing;
	int64_t connect_at_ms, lost_at_ms; /* 0: no connection was lost, or none yet */
	int64_t connect_pause_ms;
	uv_prepare_t prepare;
	uv_idle_t idle;
	uv_timer_t tick;
	unsigned open_handles;
	struct setting *configured;
	struct plugin *list;
	struct queue finished;       /* done() is due */
	struct plugin_call *starved; /* too, and there was no memory for their flights */
	uint64_t last_id, last_config;
	uint32_t last_hand;
	bool ending;
};

/* ---- plugin.c ----------------------------------------------------------------------------- */

/* Fills out and calls done(); frees the flight. */
void flight_end(struct plugin *plugin, struct flight *flight, enum plugin_status status, int code,
	const char *sentence);
void flight_answered(struct plugin *plugin, struct flight *flight); /* out is filled */
void plugin_call_ended(struct plugin_call *call);                   /* out is filled */
void plugin_dispatch(struct plugin *plugin);
void plugin_tick(struct plugin *plugin, int64_t now_ms);
bool plugin_is_busy(const struct plugin *plugin);
void plugin_start_loading(struct plugin *plugin);
void plugin_disable(struct plugin *plugin, const char *sentence);
/* Its workers are gone with the zygote; its calls wait for other workers. */
void plugin_lose_zygote(struct plugin *plugin);
void plugin_regain_zygote(struct plugin *plugin);
void plugin_end(struct plugin *plugin); /* all its calls are done() now */
void plugin_free(struct plugin *plugin);
/* What a hand tells. */
void plugin_hand_ready(struct hand *hand);
void plugin_hand_refused(struct hand *hand, const char *sentence);
/* It ended; how: "was killed by SIGSEGV". Its flights are shared out. */
void plugin_hand_ended(struct hand *hand, const char *how);

/* ---- hand.c ------------------------------------------------------------------------------- */

int hand_start(struct error *error, struct plugin *plugin, struct edition *edition, bool urgent);
bool hand_has_room(const struct hand *hand);
/* Takes the flight. false: its arguments do not fit a frame, the flight is still yours. */
bool hand_send(struct hand *hand, struct flight *flight);
void hand_forget(struct hand *hand, uint64_t config);
void hand_flush(struct hand *hand);
void hand_retire(struct hand *hand);
void hand_kill(struct hand *hand, const char *why);
void hand_drain(struct hand *hand); /* takes the answers that are there */
void hand_tick(struct hand *hand, int64_t now_ms);
void hand_ended(struct hand *hand, const char *how); /* the zygote says so; frees it */
void hand_destroy(struct hand *hand);                /* unlinked already */
/* The call that it runs, or ran when it died; NULL: none. */
struct flight *hand_suspect(const struct hand *hand);

/* ---- plugins.c ---------------------------------------------------------------------------- */

void plugins_wake(struct plugins *plugins); /* there is something to do in this turn */

#endif
