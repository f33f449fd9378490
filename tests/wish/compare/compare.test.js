// The resolver must be right about every line; of chrono-node nothing is asked but that it was there. The
// table is printed; WISH_COMPARE=all also prints what chrono-node made of each line.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import path from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

import { kind, reads, right } from "./judge.js";

const top = fileURLToPath(new URL("../../..", import.meta.url));
const klinke = path.join(path.resolve(process.env.KLINKE_BUILD ?? path.join(top, "build")), "host/klinke");
const plenty = { encoding: "utf8", maxBuffer: 1 << 30 };

const lines = execFileSync("/usr/bin/python3", [path.join(top, "tests/wish/corpus.py")], plenty)
	.trimEnd().split("\n").map((text) => JSON.parse(text));

function ours() {
	const asked = lines.map(({ line, accepted, ...rest }) => JSON.stringify(rest) + "\n").join("");
	const said = execFileSync(klinke, ["call", "desk.match", "-"], { ...plenty, input: asked });
	return said.trimEnd().split("\n").map((text) => JSON.parse(text).matched);
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

function tally(rows) {
	const table = {};
	for (const { key, klinke: a, chrono: b } of rows) {
		for (const name of [key, `all ${key.slice(0, 2)}`]) {
			table[name] ??= { phrases: 0, klinke: 0, "chrono-node": 0 };
			table[name].phrases++;
			table[name].klinke += a;
			table[name]["chrono-node"] += b;
		}
	}
	return Object.fromEntries(Object.entries(table).sort());
}

test("the resolver is right about every phrase; chrono-node is counted beside it", () => {
	const matched = ours();
	assert.equal(matched.length, lines.length);
	const rows = lines.map((line, i) => {
		const found = reads(line);
		const row = {
			key: `${line.language} ${kind(line)}`,
			klinke: line.accepted.some((meant) => same(meant, matched[i])),
			chrono: right(line, found),
		};
		if (process.env.WISH_COMPARE === "all")
			console.log(row.chrono ? "right" : "WRONG", JSON.stringify(line.phrase.slice(0, 80)),
				found ? `${found.day} ${found.time ?? ""}` : "nothing");
		return row;
	});
	console.table(tally(rows));
	const wrong = lines.filter((_, i) => !rows[i].klinke).map((line) => `${line.line}: ${line.phrase.slice(0, 80)}`);
	assert.deepEqual(wrong, []);
	assert.ok(rows.some((row) => row.chrono), "chrono-node was right about nothing: it was not asked");
});

// The measure itself, on lines of which a person can say what is right.
test("the measure is kind to one moment and not blind", () => {
	const slots = ["2025-06-18T09:00:00+02:00", "2025-06-18T16:00:00+02:00", "2025-06-19T16:00:00+02:00"];
	const line = (...meant) => ({ timezone: "Europe/Berlin", slots, accepted: [meant] });
	assert.ok(right(line(slots[1], slots[2]), { day: "2025-06-18", time: "16:00" }));
	assert.ok(right(line(slots[0], slots[1]), { day: "2025-06-18", time: null }));
	assert.ok(right(line(), null) && right(line(...slots), null));
	assert.ok(!right(line(slots[1]), { day: "2025-06-18", time: null }));
	assert.ok(!right(line(slots[1]), { day: "2025-06-18", time: "09:00" }));
	assert.ok(!right(line(slots[1]), { day: "2025-06-19", time: "16:00" }));
	assert.ok(!right(line(), { day: "2025-06-18", time: "16:00" }) && !right(line(slots[1]), null));
});
