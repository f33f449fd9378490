// What chrono-node makes of a line of the corpus, and whether that is right. The measure is kind: chrono
// finds one moment, the corpus asks which of all free slots are meant. So it is right
//   if the caller restricts nothing, or names what is none or over: when it finds nothing;
//   else: when its day is one on which slots are meant and, if not all of that day are, its time is that of
//   one of them.
import * as chrono from "chrono-node";

const walls = new Map(); // a formatter per zone: they are slow to make

function wall(zone) {
	if (!walls.has(zone))
		walls.set(zone, new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "short" }));
	return walls.get(zone);
}

// Minutes east of UTC, as chrono wants a zone.
function offset(instant, zone) {
	const there = new Date(`${wall(zone).format(instant).replace(" ", "T")}:00Z`);
	return Math.round((there - instant) / 60000);
}

// {day, time} on the wall of what chrono finds first; time null: it found none. null: it finds nothing.
export function reads(line) {
	const now = new Date(line.now);
	const parser = chrono[line.language].casual ?? chrono[line.language];
	const reference = { instant: now, timezone: offset(now, line.timezone) };
	const [found] = parser.parse(line.phrase, reference, { forwardDate: true });
	if (!found) return null;
	const [year, month, day, hour, minute] = ["year", "month", "day", "hour", "minute"].map((unit) =>
		String(found.start.get(unit) ?? 0).padStart(2, "0"));
	// Parts of the day are implied by an hour, too.
	const timed = found.start.isCertain("hour") || found.start.get("hour") !== 12;
	return { day: `${year}-${month}-${day}`, time: timed ? `${hour}:${minute}` : null };
}

function days(slots, zone) {
	const all = new Map();
	for (const slot of slots) {
		const [day, time] = wall(zone).format(new Date(slot)).split(" ");
		if (!all.has(day)) all.set(day, []);
		all.get(day).push(time);
	}
	return all;
}

export function right(line, found) {
	return line.accepted.some((meant) => {
		if (meant.length === 0 || meant.length === line.slots.length) return found === null;
		if (found === null) return false;
		const times = days(meant, line.timezone).get(found.day);
		const free = days(line.slots, line.timezone).get(found.day);
		return times !== undefined && (times.length === free.length || times.includes(found.time));
	});
}

// What a line is about, for the table.
export function kind(line) {
	const [meant] = line.accepted;
	if (meant.length === 0) return "no such time";
	if (meant.length === line.slots.length) return "restricts nothing";
	const free = days(line.slots, line.timezone);
	const wanted = days(meant, line.timezone);
	const timed = [...wanted].some(([day, times]) => times.length < free.get(day).length);
	if (wanted.size === free.size) return "time of day";
	if (wanted.size === 1) return timed ? "one day and a time" : "one day";
	return timed ? "several days and a time" : "several days";
}
