/* What the calendar said is free, and when that is not true any more. */
#include "store_visit.h"

#include "store/engine.h"
#include "store/reader.h"

static void the_mirror_gives_the_days_that_were_asked_for(void **state)
{
	struct fixture *f = *state;
	struct slot_day days[] = {a_day(DAY + 1, STR("")), a_day(DAY, STR("Dr. Petersen")),
		a_day(DAY, STR("")), a_day(DAY, STR("")), a_day(DAY + 3, STR(""))},
			*rows;
	size_t count;

	days[1].starts = STR("");
	days[3].event_type = STR("310456");
	mirror(f, days, 5);
	rows = slots(f, CALENDAR, DAY, DAY + 2, &count);
	assert_int_equal(count, 3);
	assert_int_equal(rows[0].day, DAY);
	assert_str(rows[0].staff, "");
	assert_str(rows[0].starts, "29684910 29684940");
	assert_str(rows[0].connection, "praxis-winter/calendar");
	assert_str(rows[0].event_type, "310455");
	assert_true(rows[0].asked_ms == days[2].asked_ms && rows[0].dirty_ms == 0);
	assert_str(rows[1].staff, "Dr. Petersen");
	assert_str(rows[1].starts, "");
	assert_int_equal(rows[2].day, DAY + 1);
	slots(f, PHONE, DAY, DAY + 3, &count);
	assert_int_equal(count, 0);
}

static void an_older_answer_of_the_calendar_never_overwrites(void **state)
{
	struct fixture *f = *state;
	struct slot_day new = a_day(DAY, STR("")), old = new, *rows;
	size_t count;

	old.asked_ms -= 1;
	old.starts = STR("1 2 3");
	mirror(f, &new, 1);
	mirror(f, &old, 1);
	rows = slots(f, CALENDAR, DAY, DAY, &count);
	assert_int_equal(count, 1);
	assert_str(rows[0].starts, "29684910 29684940");
	assert_true(rows[0].asked_ms == new.asked_ms);
	old.asked_ms = new.asked_ms + 1;
	mirror(f, &old, 1);
	assert_str(slots(f, CALENDAR, DAY, DAY, &count)->starts, "1 2 3");
}

/* Days DAY-3 to DAY+11 of the mirror, and which of them are not fresh: "...xxx...". */
static void fill_mirror(struct fixture *f)
{
	struct slot_day days[15];
	int32_t i;

	for (i = 0; i < 15; i++) {
		days[i] = a_day(DAY - 3 + i, STR(""));
		days[i].asked_ms = 1;
	}
	mirror(f, days, 15);
}

static void assert_dirty(struct fixture *f, const char *map)
{
	struct slot_day *days;
	char is[16] = "";
	size_t count, i;

	days = slots(f, CALENDAR, DAY - 3, DAY + 11, &count);
	assert_int_equal(count, 15);
	for (i = 0; i < 15; i++)
		is[i] = days[i].dirty_ms >= days[i].asked_ms ? 'x' : '.';
	if (strcmp(is, map) != 0)
		fail_msg("dirty are %s and not %s", is, map);
}

/* As if the calendar had been asked again since, and that were long ago. */
static void refresh(struct fixture *f)
{
	store_close(f->store);
	open_store(f);
	assert_int_equal(
		sqlite3_exec(f->store->conn.db, "DELETE FROM slot_dirty", NULL, NULL, NULL),
		SQLITE_OK);
	assert_dirty(f, "...............");
}

static void a_booking_makes_the_days_around_it_dirty_and_moving_it_both(void **state)
{
	struct fixture *f = *state;
	struct appointment_row row = an_appointment(STR("b1"), AT(9, 0));

	fill_mirror(f);
	assert_dirty(f, "...............");
	happen(f, &row, STR("created"));
	assert_dirty(f, "..xxx..........");
	refresh(f);
	row.start_ms += 7 * DAY_MS;
	row.end_ms += 7 * DAY_MS;
	row.changed_ms++;
	become(f, &row);
	assert_dirty(f, "..xxx....xxx...");
	refresh(f);
	row.status = STR("cancelled");
	row.changed_ms++;
	happen(f, &row, STR("cancelled"));
	assert_dirty(f, ".........xxx...");
}

static void what_changes_nothing_makes_nothing_dirty(void **state)
{
	struct fixture *f = *state;
	struct appointment_row row = an_appointment(STR("b1"), AT(9, 0));
	struct appointment_row other = an_appointment(STR("b2"), AT(9, 0));

	fill_mirror(f);
	other.connection = PHONE;
	become(f, &other);
	other = an_appointment(STR("b3"), AT(9, 0));
	other.tenant = OTHER;
	become(f, &other);
	assert_dirty(f, "...............");
	become(f, &row);
	refresh(f);
	row.changed_ms++;
	row.person = STR("erika@example.org");
	happen(f, &row, STR("the webhook of what we booked"));
	row.changed_ms -= 10;
	row.start_ms += DAY_MS;
	happen(f, &row, STR("older"));
	assert_dirty(f, "...............");
}

static void an_appointment_over_midnight_and_one_over_days_mark_each_of_them(void **state)
{
	struct fixture *f = *state;
	struct appointment_row row = an_appointment(STR("b1"), AT(23, 45));

	fill_mirror(f);
	become(f, &row);
	assert_dirty(f, "..xxxx.........");
	row = an_appointment(STR("b2"), AT(9, 0) + 6 * DAY_MS);
	row.end_ms = row.start_ms + 2 * DAY_MS;
	become(f, &row);
	assert_dirty(f, "..xxxx..xxxxx..");
	row = an_appointment(STR("b3"), AT(9, 0));
	row.end_ms = FOREVER; /* must not take for ever */
	become(f, &row);
	assert_dirty(f, "..xxxxxxxxxxxxx");
}

/* The calendar is being asked for a day for the first time, and a booking comes in between. */
static void a_booking_counts_also_for_a_day_that_is_just_being_asked_for(void **state)
{
	struct fixture *f = *state;
	struct appointment_row row = an_appointment(STR("b1"), AT(9, 0));
	struct slot_day day = a_day(DAY, STR("")), *rows;
	size_t count;

	day.asked_ms = clock_now_ms() - 10;
	happen(f, &row, STR("created"));
	mirror(f, &day, 1);
	rows = slots(f, CALENDAR, DAY, DAY, &count);
	assert_int_equal(count, 1);
	assert_true(rows[0].dirty_ms > rows[0].asked_ms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(the_mirror_gives_the_days_that_were_asked_for),
		STORE_TEST(an_older_answer_of_the_calendar_never_overwrites),
		STORE_TEST(a_booking_makes_the_days_around_it_dirty_and_moving_it_both),
		STORE_TEST(what_changes_nothing_makes_nothing_dirty),
		STORE_TEST(an_appointment_over_midnight_and_one_over_days_mark_each_of_them),
		STORE_TEST(a_booking_counts_also_for_a_day_that_is_just_being_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
