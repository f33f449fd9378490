/* The mailbox: in order, exactly once, and a wake for each time it was empty. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#include "base/mailbox.h"

#define POSTERS 3
#define EACH 20000

struct note {
	struct mailbox_item item; /* first: the mailbox hands back its address */
	int poster, number;
};

static int last_seen[POSTERS], seen, wakes;

static void read_note(struct mailbox_item *item)
{
	struct note *note = (struct note *)item;

	assert_int_equal(note->number, last_seen[note->poster] + 1);
	last_seen[note->poster] = note->number;
	seen++;
	free(note);
}

static void post(struct mailbox *mailbox, int poster, int number)
{
	struct note *note = calloc(1, sizeof(*note));

	*note = (struct note){.item.run = read_note, .poster = poster, .number = number};
	mailbox_post(mailbox, &note->item);
}

static void count_wake(void *arg)
{
	(void)arg;
	wakes++;
}

static void reset_counts(void)
{
	for (int i = 0; i < POSTERS; i++)
		last_seen[i] = 0;
	seen = wakes = 0;
}

static void wakes_only_when_it_was_empty(void **state)
{
	struct mailbox mailbox;

	(void)state;
	reset_counts();
	mailbox_init(&mailbox, count_wake, NULL);
	assert_false(mailbox_drain(&mailbox));
	post(&mailbox, 0, 1);
	post(&mailbox, 0, 2);
	post(&mailbox, 1, 1);
	assert_int_equal(wakes, 1);
	assert_true(mailbox_drain(&mailbox));
	assert_int_equal(seen, 3);
	assert_false(mailbox_drain(&mailbox));
	post(&mailbox, 0, 3);
	assert_int_equal(wakes, 2);
	assert_true(mailbox_drain(&mailbox));
}

static struct mailbox again;

static void post_again(struct mailbox_item *item)
{
	if (seen++ == 0)
		mailbox_post(&again, item);
}

static void what_arrives_while_running_waits_for_the_next_time(void **state)
{
	struct mailbox_item item = {.run = post_again};

	(void)state;
	reset_counts();
	mailbox_init(&again, count_wake, NULL);
	mailbox_post(&again, &item);
	assert_true(mailbox_drain(&again));
	assert_int_equal(seen, 1);
	assert_int_equal(wakes, 2);
	assert_true(mailbox_drain(&again));
	assert_int_equal(seen, 2);
	assert_false(mailbox_drain(&again));
}

struct poster {
	struct mailbox *mailbox;
	int number;
};

static void *post_many(void *arg)
{
	struct poster *poster = arg;

	for (int i = 1; i <= EACH; i++)
		post(poster->mailbox, poster->number, i);
	return NULL;
}

static void raise_flag(void *arg)
{
	sem_post(arg);
}

/* The owner sleeps whenever it has drained; a wake that is lost would let it sleep for ever. */
static void nothing_is_lost_among_threads(void **state)
{
	struct mailbox mailbox;
	struct poster posters[POSTERS];
	pthread_t threads[POSTERS];
	sem_t flag;

	(void)state;
	reset_counts();
	sem_init(&flag, 0, 0);
	mailbox_init(&mailbox, raise_flag, &flag);
	for (int i = 0; i < POSTERS; i++) {
		posters[i] = (struct poster){&mailbox, i};
		pthread_create(&threads[i], NULL, post_many, &posters[i]);
	}
	while (seen < POSTERS * EACH) {
		sem_wait(&flag);
		mailbox_drain(&mailbox);
	}
	for (int i = 0; i < POSTERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(last_seen[i], EACH);
	}
	sem_destroy(&flag);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wakes_only_when_it_was_empty),
		cmocka_unit_test(what_arrives_while_running_waits_for_the_next_time),
		cmocka_unit_test(nothing_is_lost_among_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
