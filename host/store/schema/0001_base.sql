-- What happened and what to do. Every row is found by its id (made by the host); seq is the order
-- in which rows came and what other tables point at. Sealed bytes lie beside a "lock": their data
-- key, wrapped by keys of the key store. Numbers, addresses and what holds one are not in clear in
-- any column: in dedupe, subject, also, order_key and holder stand keyed codes for them.

CREATE TABLE meta (
	name TEXT PRIMARY KEY,
	value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- One webhook as it came. The raw bytes are a table of their own, so that marking a row done does
-- not write them again.
CREATE TABLE inbox (
	seq INTEGER PRIMARY KEY,
	id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
	tenant TEXT NOT NULL,
	connection TEXT NOT NULL,
	route TEXT NOT NULL,
	method TEXT NOT NULL,
	path TEXT NOT NULL,
	correlation TEXT NOT NULL,
	received_ms INTEGER NOT NULL,
	state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 4),
	reason TEXT NOT NULL,
	kills INTEGER NOT NULL,
	lock BLOB NOT NULL
) STRICT;

-- NEW after a restart, and what is PARKED for a person.
CREATE INDEX inbox_open ON inbox (state) WHERE state IN (1, 3);

CREATE TABLE inbox_raw (
	seq INTEGER PRIMARY KEY REFERENCES inbox (seq) ON DELETE CASCADE,
	sealed BLOB NOT NULL
) STRICT;

CREATE TABLE event (
	seq INTEGER PRIMARY KEY,
	id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
	inbox BLOB REFERENCES inbox (id),
	job BLOB REFERENCES job (id),
	tenant TEXT NOT NULL CHECK (tenant <> ''),
	connection TEXT NOT NULL,
	type TEXT NOT NULL CHECK (type <> ''),
	dedupe TEXT NOT NULL,
	subject TEXT NOT NULL,
	also TEXT NOT NULL,
	regarding TEXT NOT NULL,
	correlation TEXT NOT NULL,
	at_ms INTEGER NOT NULL,
	received_ms INTEGER NOT NULL,
	person INTEGER, -- numbers of the keys of whom it is about
	other INTEGER,
	third INTEGER,
	fourth INTEGER,
	lock BLOB NOT NULL,
	sealed BLOB NOT NULL -- person, others, data, subject
) STRICT;

CREATE UNIQUE INDEX event_dedupe ON event (connection, dedupe) WHERE dedupe <> '';
CREATE INDEX event_correlation ON event (correlation) WHERE correlation <> '';
CREATE INDEX event_subject ON event (subject) WHERE subject <> '';
CREATE INDEX event_also ON event (also) WHERE also <> '';
CREATE INDEX event_tenant ON event (tenant);
CREATE INDEX event_person ON event (person) WHERE person IS NOT NULL;
CREATE INDEX event_other ON event (other) WHERE other IS NOT NULL;
CREATE INDEX event_third ON event (third) WHERE third IS NOT NULL;
CREATE INDEX event_fourth ON event (fourth) WHERE fourth IS NOT NULL;
CREATE INDEX event_inbox ON event (inbox) WHERE inbox IS NOT NULL;
CREATE INDEX event_job ON event (job) WHERE job IS NOT NULL;

CREATE TABLE job (
	seq INTEGER PRIMARY KEY,
	id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
	event BLOB REFERENCES event (id),
	tenant TEXT NOT NULL CHECK (tenant <> ''),
	pipeline TEXT NOT NULL,
	connection TEXT NOT NULL,
	op TEXT NOT NULL,
	dedupe TEXT NOT NULL,
	order_key TEXT NOT NULL,
	cancel_on TEXT NOT NULL,
	subject TEXT NOT NULL,
	key TEXT NOT NULL,
	correlation TEXT NOT NULL,
	state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 7),
	strict INTEGER NOT NULL,
	due_ms INTEGER NOT NULL,
	created_ms INTEGER NOT NULL,
	updated_ms INTEGER NOT NULL,
	generation INTEGER NOT NULL,
	step INTEGER NOT NULL,
	tries INTEGER NOT NULL,
	absent INTEGER NOT NULL,
	kills INTEGER NOT NULL,
	sent INTEGER NOT NULL,
	reason TEXT NOT NULL, -- the store's own; a run's is sealed with its progress
	fail TEXT NOT NULL,
	person INTEGER, -- as of an event; of a job without one, or that names others
	other INTEGER,
	third INTEGER,
	fourth INTEGER,
	lock BLOB,
	sealed BLOB, -- input, person
	progress BLOB, -- progress, reason, behind their lock
	closed BLOB -- answer of an event while the job was in somebody's hands, likewise
) STRICT;

CREATE UNIQUE INDEX job_dedupe ON job (dedupe) WHERE dedupe <> '';
-- What is said below is computed with every change of a row: no IN of more than two, for which SQLite
-- would make a table each time.
-- Claims, counts and dead letters: done jobs, by far the most, are not in it.
CREATE INDEX job_open ON job (state, due_ms) WHERE state <> 6;
-- Who has an order key (READY, or strict and WAITING or PARKED) and who queues for it.
CREATE INDEX job_turn ON job (tenant, order_key, state)
	WHERE order_key <> '' AND (state IN (1, 2) OR (strict = 1 AND state IN (3, 4)));
-- Whose outcome is unknown, or may yet be.
CREATE INDEX job_key ON job (key) WHERE state BETWEEN 1 AND 4 AND (sent = 1 OR state = 4);
CREATE INDEX job_cancel ON job (tenant, subject) WHERE cancel_on <> '' AND state BETWEEN 1 AND 3;
CREATE INDEX job_closed ON job (state) WHERE closed IS NOT NULL;
-- What waits because its plugin or its credential failed, and what was put off, by which clock: all of
-- it is due when that is mended.
CREATE INDEX job_fail ON job (fail, due_ms) WHERE state = 1 AND fail <> '';
CREATE INDEX job_put_off ON job (updated_ms) WHERE state BETWEEN 1 AND 2 AND due_ms > updated_ms;
CREATE INDEX job_correlation ON job (correlation) WHERE correlation <> '';
CREATE INDEX job_event ON job (event) WHERE event IS NOT NULL;
CREATE INDEX job_tenant ON job (tenant);
CREATE INDEX job_person ON job (person) WHERE person IS NOT NULL;
CREATE INDEX job_other ON job (other) WHERE other IS NOT NULL;
CREATE INDEX job_third ON job (third) WHERE third IS NOT NULL;
CREATE INDEX job_fourth ON job (fourth) WHERE fourth IS NOT NULL;

-- One step finished, or one request with its answer; written once, for show.
CREATE TABLE attempt (
	seq INTEGER PRIMARY KEY,
	id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
	job INTEGER NOT NULL REFERENCES job (seq),
	tenant TEXT NOT NULL,
	kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 2),
	step INTEGER NOT NULL,
	number INTEGER NOT NULL,
	name TEXT NOT NULL,
	outcome TEXT NOT NULL,
	method TEXT NOT NULL,
	status INTEGER NOT NULL,
	started_ms INTEGER NOT NULL,
	took_us INTEGER NOT NULL,
	lock BLOB NOT NULL,
	sealed BLOB NOT NULL, -- input, output, more, url, note
	expired INTEGER NOT NULL DEFAULT 0 -- the first three are gone
) STRICT;

CREATE INDEX attempt_job ON attempt (job);

CREATE TABLE call (
	seq INTEGER PRIMARY KEY,
	tenant TEXT NOT NULL CHECK (tenant <> ''),
	connection TEXT NOT NULL,
	call_id TEXT NOT NULL,
	rank INTEGER NOT NULL,
	direction TEXT NOT NULL,
	status TEXT NOT NULL,
	agent TEXT NOT NULL,
	started_ms INTEGER NOT NULL,
	ended_ms INTEGER NOT NULL,
	person INTEGER, -- as of an event
	other INTEGER,
	third INTEGER,
	fourth INTEGER,
	lock BLOB NOT NULL,
	sealed BLOB NOT NULL, -- from, to, person, data
	UNIQUE (tenant, connection, call_id)
) STRICT;

CREATE INDEX call_started ON call (tenant, started_ms);
CREATE INDEX call_person ON call (person) WHERE person IS NOT NULL;
CREATE INDEX call_other ON call (other) WHERE other IS NOT NULL;
CREATE INDEX call_third ON call (third) WHERE third IS NOT NULL;
CREATE INDEX call_fourth ON call (fourth) WHERE fourth IS NOT NULL;

CREATE TABLE appointment (
	seq INTEGER PRIMARY KEY,
	tenant TEXT NOT NULL CHECK (tenant <> ''),
	connection TEXT NOT NULL,
	uid TEXT NOT NULL,
	rescheduled_from TEXT NOT NULL,
	status TEXT NOT NULL,
	start_ms INTEGER NOT NULL,
	end_ms INTEGER NOT NULL,
	changed_ms INTEGER NOT NULL,
	event_type TEXT NOT NULL,
	host TEXT NOT NULL,
	vendor_id TEXT NOT NULL,
	key TEXT NOT NULL,
	version INTEGER NOT NULL,
	person_hash BLOB, -- keyed: finds a person's rows without saying whose they are
	lock BLOB,
	sealed BLOB, -- person, name
	UNIQUE (tenant, connection, uid)
) STRICT;

CREATE INDEX appointment_start ON appointment (tenant, start_ms);
-- By what one was moved from: its former row may come later.
CREATE INDEX appointment_former ON appointment (tenant, connection, rescheduled_from)
	WHERE rescheduled_from <> '';
CREATE INDEX appointment_person ON appointment (tenant, person_hash, start_ms)
	WHERE person_hash IS NOT NULL;

-- A time kept for somebody, and the cells of five minutes it stands on. Of each resource a cell
-- exists once per seat: the primary key of hold_cell is what makes two holds collide.
CREATE TABLE hold (
	seq INTEGER PRIMARY KEY,
	id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
	tenant TEXT NOT NULL CHECK (tenant <> ''),
	holder TEXT NOT NULL CHECK (holder <> ''),
	resource TEXT NOT NULL CHECK (resource <> ''),
	event_type TEXT NOT NULL,
	start_ms INTEGER NOT NULL,
	end_ms INTEGER NOT NULL CHECK (end_ms > start_ms),
	expires_ms INTEGER NOT NULL,
	capacity INTEGER NOT NULL CHECK (capacity > 0),
	seat INTEGER NOT NULL CHECK (seat BETWEEN 0 AND capacity - 1),
	state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 2),
	job INTEGER REFERENCES job (seq),
	CHECK (state = 1 OR job IS NOT NULL)
) STRICT;

CREATE INDEX hold_resource ON hold (tenant, resource, start_ms);
CREATE INDEX hold_start ON hold (tenant, start_ms);
CREATE INDEX hold_holder ON hold (tenant, holder, start_ms);
CREATE INDEX hold_expires ON hold (expires_ms);
CREATE INDEX hold_job ON hold (job) WHERE job IS NOT NULL;

CREATE TABLE hold_cell (
	tenant TEXT NOT NULL,
	resource TEXT NOT NULL,
	cell INTEGER NOT NULL,
	seat INTEGER NOT NULL,
	hold INTEGER NOT NULL REFERENCES hold (seq) ON DELETE CASCADE,
	PRIMARY KEY (tenant, resource, cell, seat)
) STRICT, WITHOUT ROWID;

CREATE INDEX hold_cell_hold ON hold_cell (hold);

-- The mirror: what the calendar said is free on one day.
CREATE TABLE slot (
	tenant TEXT NOT NULL CHECK (tenant <> ''),
	connection TEXT NOT NULL,
	event_type TEXT NOT NULL,
	day INTEGER NOT NULL,
	staff TEXT NOT NULL,
	asked_ms INTEGER NOT NULL,
	starts TEXT NOT NULL,
	PRIMARY KEY (tenant, connection, event_type, day, staff)
) STRICT, WITHOUT ROWID;

-- When a booking last changed a day, also one that is not in the mirror: the calendar may be asked
-- for it at this moment, and its answer is from before.
CREATE TABLE slot_dirty (
	tenant TEXT NOT NULL,
	connection TEXT NOT NULL,
	day INTEGER NOT NULL,
	dirty_ms INTEGER NOT NULL,
	PRIMARY KEY (tenant, connection, day)
) STRICT, WITHOUT ROWID;

-- What a waiting caller was told, once for each event.
CREATE TABLE answer (
	seq INTEGER PRIMARY KEY,
	connection TEXT NOT NULL,
	dedupe TEXT NOT NULL CHECK (dedupe <> ''),
	tenant TEXT NOT NULL CHECK (tenant <> ''),
	outcome INTEGER NOT NULL,
	at_ms INTEGER NOT NULL,
	lock BLOB NOT NULL,
	sealed BLOB NOT NULL, -- result
	UNIQUE (connection, dedupe)
) STRICT;

-- The office's catalogue. What a person says of a name goes before what the INI says of it.
CREATE TABLE master_service (
	tenant TEXT NOT NULL CHECK (tenant <> ''),
	name TEXT NOT NULL CHECK (name <> ''),
	origin INTEGER NOT NULL CHECK (origin BETWEEN 1 AND 2), -- INI, PERSON
	title TEXT NOT NULL,
	aliases TEXT NOT NULL, -- JSON
	connection TEXT NOT NULL,
	event_type TEXT NOT NULL,
	staff TEXT NOT NULL, -- JSON
	length_min INTEGER NOT NULL,
	capacity INTEGER NOT NULL,
	position INTEGER NOT NULL,
	price_minor INTEGER NOT NULL,
	currency TEXT NOT NULL,
	active INTEGER NOT NULL,
	PRIMARY KEY (tenant, name, origin)
) STRICT, WITHOUT ROWID;

CREATE INDEX master_service_position ON master_service (tenant, position, name);

CREATE TABLE branch (
	tenant TEXT NOT NULL CHECK (tenant <> ''),
	name TEXT NOT NULL CHECK (name <> ''),
	origin INTEGER NOT NULL CHECK (origin BETWEEN 1 AND 2),
	title TEXT NOT NULL,
	address TEXT NOT NULL,
	numbers TEXT NOT NULL, -- JSON
	agent TEXT NOT NULL,
	agent_version INTEGER NOT NULL,
	state TEXT NOT NULL,
	position INTEGER NOT NULL,
	PRIMARY KEY (tenant, name, origin)
) STRICT, WITHOUT ROWID;

CREATE INDEX branch_position ON branch (tenant, position, name);

-- The numbers of the branches that count, drawn out of their rows: one number, one branch.
CREATE TABLE phone_number (
	number TEXT PRIMARY KEY,
	tenant TEXT NOT NULL,
	branch TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE branch_service_override (
	tenant TEXT NOT NULL CHECK (tenant <> ''),
	branch TEXT NOT NULL CHECK (branch <> ''),
	service TEXT NOT NULL CHECK (service <> ''),
	origin INTEGER NOT NULL CHECK (origin BETWEEN 1 AND 2),
	active INTEGER NOT NULL,
	length_min INTEGER NOT NULL,
	price_minor INTEGER NOT NULL,
	event_type TEXT NOT NULL,
	PRIMARY KEY (tenant, branch, service, origin)
) STRICT, WITHOUT ROWID;

-- How far a polling operation has read.
CREATE TABLE checkpoint (
	connection TEXT NOT NULL,
	op TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (connection, op)
) STRICT, WITHOUT ROWID;

-- Whose key was destroyed, so that an older copy of the key store cannot bring it back. Also what
-- remains to be done if that was interrupted: numbers that only the key store has.
CREATE TABLE forgotten (
	number INTEGER PRIMARY KEY,
	mark BLOB NOT NULL CHECK (length(mark) = 16),
	at_ms INTEGER NOT NULL
) STRICT;

-- Configurations as text, without the values of secrets.
CREATE TABLE generation (
	number INTEGER PRIMARY KEY,
	text TEXT NOT NULL
) STRICT;

CREATE TABLE breaker (
	key TEXT PRIMARY KEY,
	state TEXT NOT NULL,
	until_ms INTEGER NOT NULL,
	failures INTEGER NOT NULL,
	successes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Old days of the mirror are found by their day.
CREATE INDEX slot_day ON slot (day);
CREATE INDEX slot_dirty_day ON slot_dirty (day);

-- Where retention begins with its next look: what lies before seq has nothing left to lose.
CREATE TABLE retention (
	name TEXT PRIMARY KEY,
	seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What is kept of an event that was deleted: enough to know its repeat, and nothing that tells
-- whose it was.
CREATE TABLE gone (
	seq INTEGER PRIMARY KEY,
	mark BLOB NOT NULL UNIQUE CHECK (length(mark) = 16),
	gone_ms INTEGER NOT NULL
) STRICT;

-- Counted in the commit in which it came, by quarters of an hour since 1970: every zone's day is
-- made of whole ones. Of webhooks the owner of the connection, of the others the tenant.
CREATE TABLE tally (
	tenant TEXT NOT NULL,
	quarter INTEGER NOT NULL,
	webhooks INTEGER NOT NULL,
	events INTEGER NOT NULL,
	repeats INTEGER NOT NULL,
	jobs INTEGER NOT NULL,
	PRIMARY KEY (tenant, quarter)
) STRICT, WITHOUT ROWID;

CREATE INDEX tally_quarter ON tally (quarter);

-- What a day brought and what became of it, as it stood when the day was over.
CREATE TABLE receipt (
	tenant TEXT NOT NULL,
	day INTEGER NOT NULL, -- of the tenant's calendar, days since 1970-01-01
	made_ms INTEGER NOT NULL,
	balanced INTEGER NOT NULL,
	data TEXT NOT NULL, -- JSON: the counts
	PRIMARY KEY (tenant, day)
) STRICT, WITHOUT ROWID;
