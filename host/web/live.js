"use strict";
// Keeps the page of calls in progress up to date. Texts become text nodes, never markup.
(function () {
	const types = ["call.inbound", "call.started", "call.transcript", "call.function",
		"call.transferred", "call.ended", "call.analyzed", "booking.requested",
		"booking.created", "booking.rescheduled", "booking.cancelled", "booking.rejected",
		"booking.noshow", "booking.paid"];
	const overMost = 20;
	const live = document.getElementById("live");
	const state = document.getElementById("state");
	let last = live.dataset.after;

	function add(parent, tag, text) {
		const element = document.createElement(tag);
		element.textContent = text || "";
		parent.appendChild(element);
		return element;
	}

	function sectionOf(call) {
		for (const section of live.children)
			if (section.dataset.call === call)
				return section;
		const section = document.createElement("section");
		section.dataset.call = call;
		add(section, "h2");
		add(section, "p");
		live.insertBefore(section, live.firstChild);
		return section;
	}

	function said(section, text) {
		let pre = section.querySelector("pre");
		pre = pre || add(section, "pre");
		pre.textContent = text;
	}

	function happened(section, text) {
		let list = section.querySelector("ul");
		list = list || add(section, "ul");
		add(list, "li", text);
	}

	function dropOldest() {
		const over = live.querySelectorAll("section.over");
		for (let i = overMost; i < over.length; i++)
			over[i].remove();
	}

	function head(section, e) {
		const d = e.data || {};
		if (d.from || d.from_raw)
			section.querySelector("h2").textContent =
				(d.from || d.from_raw) + " \u2192 " + (d.to || d.to_raw || "unknown");
		section.querySelector("p").textContent =
			[e.tenant, d.status, e.time].filter(Boolean).join(" \u00b7 ");
	}

	function show(e) {
		if (!e.call)
			return;
		const section = sectionOf(e.call), d = e.data || {};
		if (e.type.startsWith("call."))
			head(section, e);
		if (d.transcript)
			said(section, d.transcript);
		if (e.type === "call.function")
			happened(section, d.name + " " + JSON.stringify(d.args || {}));
		else if (e.type === "call.transferred")
			happened(section, "transfer " + (d.phase || ""));
		else if (e.type.startsWith("booking."))
			happened(section, e.type + " " + (d.start || ""));
		if (e.type === "call.ended" || e.type === "call.analyzed") {
			section.className = "over";
			dropOldest();
		}
	}

	// Refused, it does not try again by itself. Who is no longer logged in is shown the form.
	function refused() {
		const later = function () {
			setTimeout(connect, 10000);
		};
		fetch(location.href).then(function (answer) {
			if (answer.status === 401)
				location.reload();
			else
				later();
		}, later);
	}

	function connect() {
		const query = new URLSearchParams();
		if (last)
			query.set("after", last);
		if (live.dataset.tenant)
			query.set("tenant", live.dataset.tenant);
		const source = new EventSource("/api/v1/live?" + query);
		source.onopen = function () {
			state.textContent = "live";
		};
		source.onerror = function () {
			state.textContent = "connecting";
			if (source.readyState === EventSource.CLOSED)
				refused();
		};
		source.addEventListener("reset", function () {
			location.reload();
		});
		for (const type of types)
			source.addEventListener(type, function (message) {
				last = message.lastEventId || last;
				show(JSON.parse(message.data));
			});
	}

	connect();
})();
