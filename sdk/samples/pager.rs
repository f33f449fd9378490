//! pager.rs - the plugin of pager.c in Rust: no crates, no std, no allocator.
#![no_std]

mod klinke;
use klinke::*;

extern "C" fn check(c: Cx<'_>, config: Val) {
    if c.text(config, z!("sender")).len > 11 {
        c.problem(z!("sender"), z!("is longer than the 11 characters that a pager shows"));
    }
}

// ---- what the vendor tells us -------------------------------------------------------------------

fn reject(c: Cx<'_>, reason: Text) -> Option<&Answer> {
    let answer = c.new::<Answer>()?;
    answer.kind = REJECT;
    answer.reason = reason;
    Some(answer)
}

extern "C" fn verify<'c>(c: Cx<'c>, inbound: &'c Inbound) -> Option<&'c Answer> {
    let time = inbound.headers.pair("x-pager-time");
    let hex = inbound.headers.pair("x-pager-signature");
    if !time.there() || !hex.there() {
        return reject(c, z!("x-pager-time or x-pager-signature is missing"));
    }
    let sum = c.decode(z!("hex"), hex);
    if !sum.there() {
        return reject(c, z!("x-pager-signature is not hexadecimal"));
    }
    let mac = c.new::<Mac>()?;
    mac.hash = z!("sha256");
    mac.secret = z!("hook_secret");
    mac.pieces = c.list(&[time, lit!("."), inbound.body]);
    mac.macs = c.list(&[sum]);
    c.require_mac(mac);
    let answer = c.new::<Answer>()?;
    answer.kind = ACCEPT;
    Some(answer)
}

fn page_read(c: Cx<'_>, body: Val) -> Option<()> {
    let event = c.new::<Event>()?;
    event.r#type = z!("page.read");
    event.at_ms = c.instant(c.text(body, z!("at"))).unwrap_or(0);
    event.dedupe = c.text(body, z!("id"));
    event.subject = c.cat(&[lit!("page:"), c.text(body, z!("page"))]);
    event.regarding = c.text(body, z!("key")); // who read it got it: closes a lost answer
    event.data = body;
    c.emit(event);
    Some(())
}

extern "C" fn normalize<'c>(c: Cx<'c>, inbound: &'c Inbound) -> u32 {
    let body = c.from_json(inbound.body);
    if !c.has(body, z!("id")) {
        return BAD_INPUT;
    }
    if !c.text(body, z!("event")).is("read") {
        return SURPRISE;
    }
    page_read(c, body).map_or(BROKEN, |_| 0)
}

/// Who presses the pager's button waits for a line on its display.
extern "C" fn reply<'c>(c: Cx<'c>, r: &'c Reply<'c>) -> Option<&'c Answer> {
    let object = c.object();
    c.set_text(object, lit!("display"), c.text(r.result, z!("say")));
    c.set_bool(object, lit!("beep"), r.outcome == REPLY_DONE);
    let answer = c.new::<Answer>()?;
    answer.kind = ACCEPT;
    answer.content_type = z!("application/json");
    answer.body = c.to_json(object.val());
    Some(answer)
}

// ---- what we ask of it --------------------------------------------------------------------------

fn get(c: Cx<'_>, url: Str) -> Option<&Next> {
    let request = c.new::<Request>()?;
    request.repeat = SAFE;
    request.method = z!("GET");
    request.url = url;
    request.auth = z!("key");
    request.label = z!("pages");
    c.send(request, Val::NONE)
}

fn refused<'c>(c: Cx<'c>, r: &Response) -> Option<&'c Next> {
    if r.status == 429 {
        let busy = c.new::<Next>()?;
        busy.then = FAIL;
        busy.fail = BUSY;
        busy.wait_ms = r.retry_after_ms;
        busy.message = z!("the paging service wants a pause");
        return Some(busy);
    }
    match (r.outcome, r.status) {
        (ANSWERED, 401) => c.failed(BAD_AUTH, z!("the paging service refuses the key")),
        (ANSWERED, 404) => c.failed(GONE, z!("there is no such pager")),
        (ANSWERED, _) => {
            c.failed(SURPRISE, z!("the paging service answered what its manual does not tell"))
        }
        _ => c.failed(BROKEN, z!("the paging service does not answer")),
    }
}

fn page_send<'c>(c: Cx<'c>, s: &Step<'c>) -> Option<&'c Next> {
    if !c.has(s.input, z!("to")) {
        return c.failed(BAD_INPUT, z!("to is missing: say which pager"));
    }
    let body = c.object();
    c.set_text(body, lit!("to"), c.text(s.input, z!("to")));
    c.set_text(body, lit!("text"), c.text(s.input, z!("text")));
    c.set_text(body, lit!("level"), c.text(s.config, z!("level")));
    c.set_text(body, lit!("sender"), c.text(s.config, z!("sender")));
    c.set_text(body, lit!("key"), s.key);
    let request = c.new::<Request>()?;
    request.repeat = NEVER; // the service pages again for the same key
    request.method = z!("POST");
    request.url = lit!("/pages");
    request.auth = z!("key");
    request.label = z!("page");
    request.content_type = z!("application/json");
    request.body = c.to_json(body.val());
    c.send(request, Val::NONE)
}

fn page_found<'c>(c: Cx<'c>, r: &Response) -> Option<&'c Next> {
    let first = c.find(r.json, z!("pages.0"));
    if r.outcome != ANSWERED || r.status != 200 || !c.has(r.json, z!("pages")) {
        return c.then(UNSURE, z!("the list of pages cannot be read"));
    }
    if !c.has(first, z!("id")) {
        return c.then(ABSENT, Text::NONE);
    }
    c.done(first)
}

fn page<'c>(c: Cx<'c>, s: &Step<'c>) -> Option<&'c Next> {
    match (s.why, s.response) {
        (START, _) => page_send(c, s),
        (LOOKUP, _) => get(c, c.cat(&[lit!("/pages?key="), c.encode(z!("percent"), s.key)])),
        (_, None) => None,
        (_, Some(r)) if s.looking != 0 => page_found(c, r),
        (_, Some(r)) if r.status == 201 && c.has(r.json, z!("id")) => c.done(r.json),
        (_, Some(r)) => refused(c, r),
    }
}

fn history_from(c: Cx<'_>, after: Str) -> Option<&Next> {
    if after.len == 0 {
        return get(c, lit!("/pages"));
    }
    get(c, c.cat(&[lit!("/pages?after="), c.encode(z!("percent"), after)]))
}

fn history<'c>(c: Cx<'c>, s: &Step<'c>) -> Option<&'c Next> {
    if s.why == START {
        return history_from(c, c.text(s.checkpoint, z!("")));
    }
    let r = s.response?;
    if r.outcome != ANSWERED || r.status != 200 {
        return refused(c, r);
    }
    let pages = c.find(r.json, z!("pages"));
    let mut last = Str::NONE;
    for i in 0..c.count(pages) {
        let one = c.at(pages, i);
        c.row(one);
        last = c.text(one, z!("id"));
    }
    if last.len == 0 {
        return c.done(c.object().val());
    }
    c.checkpoint(c.of_text(last));
    if c.is_true(r.json, z!("more")) {
        return history_from(c, last);
    }
    c.done(c.object().val())
}

extern "C" fn step<'c>(c: Cx<'c>, s: &'c Step<'c>) -> Option<&'c Next> {
    if s.op.is("page") {
        page(c, s)
    } else {
        history(c, s)
    }
}

// ---- what it declares ---------------------------------------------------------------------------

const fn option(key: Text, kind: u32, help: Text) -> Setting {
    Setting { key, kind, zero: 0, fallback: Text::NONE, choices: Text::NONE, help }
}

static OPTIONS: [Setting; 5] = [
    option(z!("base_url"), OPT_URL | OPT_REQUIRED, z!("where the paging service is")),
    option(z!("api_key"), OPT_SECRET | OPT_REQUIRED, z!("key of the paging service")),
    option(z!("hook_secret"), OPT_SECRET, z!("what it signs its webhooks with")),
    option(z!("sender"), OPT_TEXT, z!("shown as sender, up to 11 characters")),
    Setting {
        fallback: z!("normal"),
        choices: z!("quiet normal urgent"),
        ..option(z!("level"), OPT_CHOICE, z!("how loud"))
    },
];
static OPS: [Op; 2] = [
    Op {
        name: z!("page"),
        kind: OP_ACTION | OP_LOOKUP,
        zero: 0,
        schema: Text::NONE,
        help: z!("shows a text on a pager"),
    },
    Op {
        name: z!("history"),
        kind: OP_POLL,
        zero: 0,
        schema: Text::NONE,
        help: z!("pages since the last look"),
    },
];
static ROUTES: [Route; 2] = [
    Route { name: z!(""), reply_ms: 0, zero: 0, help: z!("a page was read") },
    Route {
        name: z!("button"),
        reply_ms: 2000,
        zero: 0,
        help: z!("somebody presses the pager's button"),
    },
];
static CREDENTIALS: [Credential; 1] = [Credential {
    name: z!("key"),
    scheme: AUTH_BEARER,
    zero: 0,
    secret: z!("api_key"),
    user: Text::NONE,
    param: Text::NONE,
}];
static PAGER: Plugin = Plugin {
    size: core::mem::size_of::<Plugin>() as u32,
    needs_minor: 0,
    state_version: 0,
    flags: 0,
    id: z!("org.example.pager"),
    version: z!("1.0.0"),
    summary: z!("Messages to the pagers of a house (a sample)"),
    events: z!("page.read"),
    hosts: Text::NONE,
    options: List::of(&OPTIONS),
    ops: List::of(&OPS),
    routes: List::of(&ROUTES),
    credentials: List::of(&CREDENTIALS),
    check: Some(check),
    verify: Some(verify),
    normalize: Some(normalize),
    reply: Some(reply),
    step: Some(step),
    map: None,
    extension: None,
};

#[no_mangle]
pub extern "C" fn klinke_plugin_v1(_host: *const Host) -> *const Plugin {
    &PAGER
}

/// Nothing above panics. If yours does, this does not end, and the host ends the worker.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
