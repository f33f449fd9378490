/* store_bench - how many webhooks per second the store takes, sealed and on disk.
 *
 *	store_bench DIRECTORY [SECONDS [OUTSTANDING [BODY_BYTES [PERSONS [COUNT]]]]]
 *
 * One submitting thread keeps OUTSTANDING (64) operations on their way, as a listener with that
 * many connections does: what has been acknowledged comes back through a mailbox and is submitted
 * anew. Prints rows per second and how long an acknowledgement took (microseconds: p50, p99, most).
 * PERSONS: each is also finished with an event of one of so many persons, and the time is that of
 * both commits. COUNT: as many and no more, for counting instructions.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mailbox.h"
#include "store/store.h"

#define SAMPLES_MAX 4000000

static const char headers[] =
	"[[\"content-type\",\"application/json\"],[\"x-retell-signature\",\"v=1732300000000,d="
	"5d41402abc4b2a76b9719d911017c5925d41402abc4b2a76b9719d911017c592\"],"
	"[\"user-agent\",\"axios/"
	"1.7.2\"],[\"content-length\",\"2560\"],[\"host\",\"127.0.0.1:8080\"]]";

struct bench;

struct request {
	struct store_append_inbox append;
	struct store_finish_inbox finish;
	struct inbox_row row;
	struct event_row event;
	struct event_change change;
	struct mailbox_item back;
	struct bench *bench;
	char correlation[ID_TEXT], person[24];
	int64_t sent_us;
};

struct bench {
	struct store *store;
	struct mailbox mailbox;
	int event;
	int64_t end_us;
	size_t outstanding, count, most;
	unsigned persons, next;
	int *samples;
};

static void wake(void *arg)
{
	struct bench *bench = arg;
	uint64_t one = 1;

	if (write(bench->event, &one, sizeof(one)) != sizeof(one))
		abort();
}

static void acknowledged(struct store_op *op)
{
	struct request *request = op->user;

	mailbox_post(&request->bench->mailbox, &request->back);
}

/* Writer's thread: the second commit, as a webhook has it that was read. */
static void appended(struct store_op *op)
{
	struct request *request = op->user;

	if (op->result)
		acknowledged(op);
	else
		store_finish_inbox(request->bench->store, &request->finish);
}

static void prepare_finish(struct request *request)
{
	struct bench *bench = request->bench;

	snprintf(request->person, sizeof(request->person), "+49171%07u",
		bench->next++ % bench->persons);
	request->event.id = id_new();
	request->event.inbox = request->finish.inbox = request->row.id;
	request->event.person = str_of(request->person);
	request->event.dedupe = request->event.correlation = request->row.correlation;
}

static void submit(struct request *request)
{
	request->row.id = id_new();
	id_text(request->correlation, &request->row.id);
	if (request->bench->persons)
		prepare_finish(request);
	request->sent_us = clock_mono_us();
	store_append_inbox(request->bench->store, &request->append);
}

static void come_back(struct mailbox_item *item)
{
	struct request *request = (struct request *)((char *)item - offsetof(struct request, back));
	struct bench *bench = request->bench;
	int64_t now = clock_mono_us();

	if (request->append.op.result || request->finish.op.result) {
		fprintf(stderr, "store_bench: %s%s\n", request->append.op.error.text,
			request->finish.op.error.text);
		exit(1);
	}
	if (bench->count < SAMPLES_MAX)
		bench->samples[bench->count] = (int)(now - request->sent_us);
	bench->count++;
	if (bench->most ? bench->count + bench->outstanding <= bench->most : now < bench->end_us)
		submit(request);
	else
		bench->outstanding--;
}

static void prepare(struct bench *bench, struct request *request, char *body, size_t body_len)
{
	*request = (struct request){
		.bench = bench,
		.back.run = come_back,
		.append = {.row = &request->row, .op = {.done = acknowledged, .user = request}},
		.row = {.connection = STR("praxis-winter/phone"),
			.route = STR("events"),
			.method = STR("POST"),
			.path = STR("/hooks/praxis-winter/phone"),
			.query = STR("[]"),
			.headers = str_of(headers),
			.body = {body, body_len},
			.correlation = {request->correlation, ID_TEXT - 1},
			.received_ms = INT64_C(1732300000000),
			.state = INBOX_NEW},
		.event = {.tenant = STR("praxis-winter"),
			.connection = STR("praxis-winter/phone"),
			.type = STR("call.ended"),
			.subject = STR("call:call_7f3a1c9be04d"),
			.data = {body, body_len},
			.at_ms = INT64_C(1732300000000),
			.received_ms = INT64_C(1732300000000)},
		.change = {.row = &request->event},
		.finish = {.tenant = STR("praxis-winter"),
			.state = INBOX_DONE,
			.events = &request->change,
			.event_count = 1,
			.op = {.done = acknowledged, .user = request}},
	};
	if (bench->persons)
		request->append.op.done = appended;
}

static void drive(struct bench *bench)
{
	struct pollfd poller = {.fd = bench->event, .events = POLLIN};
	uint64_t n;

	while (bench->outstanding) {
		if (poll(&poller, 1, -1) < 0 || read(bench->event, &n, sizeof(n)) < 0)
			abort();
		mailbox_drain(&bench->mailbox);
	}
}

static int by_size(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void report(struct bench *bench, double seconds)
{
	size_t n = bench->count < SAMPLES_MAX ? bench->count : SAMPLES_MAX;

	qsort(bench->samples, n, sizeof(int), by_size);
	printf("%.0f p50=%d p99=%d max=%d\n", (double)bench->count / seconds, bench->samples[n / 2],
		bench->samples[n - 1 - n / 100], bench->samples[n - 1]);
}

int main(int argc, char **argv)
{
	double seconds = argc > 2 ? atof(argv[2]) : 3;
	size_t outstanding = argc > 3 ? (size_t)atoi(argv[3]) : 64, i;
	size_t body_len = argc > 4 ? (size_t)atoi(argv[4]) : 2560;
	struct store_options options = {.directory = argc > 1 ? argv[1] : ""};
	struct request *requests = calloc(outstanding, sizeof(*requests));
	char *body = malloc(body_len);
	struct bench bench = {.outstanding = outstanding,
		.persons = argc > 5 ? (unsigned)atoi(argv[5]) : 0,
		.most = argc > 6 ? (size_t)atoi(argv[6]) : 0};
	struct error error;
	int64_t start;

	if (argc < 2 || outstanding == 0) {
		fprintf(stderr,
			"usage: store_bench DIRECTORY [SECONDS [OUTSTANDING [BODY_BYTES [PERSONS "
			"[COUNT]]]]]\n");
		return 2;
	}
	bench.samples = malloc(SAMPLES_MAX * sizeof(int));
	bench.event = eventfd(0, EFD_CLOEXEC);
	mailbox_init(&bench.mailbox, wake, &bench);
	if (!requests || !body || !bench.samples ||
		store_open(&error, &bench.store, &options) != 0) {
		fprintf(stderr, "store_bench: %s\n", error.text);
		return 1;
	}
	memset(body, 'a', body_len);
	start = clock_mono_us();
	bench.end_us = start + (int64_t)(seconds * 1e6);
	for (i = 0; i < outstanding; i++) {
		prepare(&bench, &requests[i], body, body_len);
		submit(&requests[i]);
	}
	drive(&bench);
	report(&bench, (double)(clock_mono_us() - start) / 1e6);
	store_close(bench.store);
	close(bench.event);
	free(bench.samples);
	free(requests);
	free(body);
	return 0;
}
