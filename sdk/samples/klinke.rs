//! klinke.rs - klinke/plugin.h in Rust: the same structs, and short words for them as in sugar.h.
//!
//! No crates, no std. Copy it beside your plugin. Layouts are those of the C header (a test compares
//! every offset); texts are NUL-terminated where C has them so. All that a call is given, and all
//! that is made in it, lives until the call returns: keep nothing.
#![allow(dead_code)]

use core::marker::PhantomData;

/// `const char *`: NUL-terminated UTF-8, or nothing. Made of a literal by `z!("...")`.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Text(pub *const u8);

/// One JSON value, opaque and immutable; may be nothing, and readers take that.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Val(pub *const u8);

/// An object or array that is being built.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Build(pub *mut u8);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Str {
    pub ptr: *const u8,
    pub len: u32,
    pub zero: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct List {
    pub ptr: *const u8,
    pub count: u32,
    pub stride: u32,
}

#[repr(C)]
pub struct Pair {
    pub name: Str,
    pub value: Str,
}

#[repr(C)]
pub struct Call {
    pub size: u32,
    pub attempt: u32,
    pub now_ms: i64,
    pub seed: u64,
    pub host: *const Host,
    pub run: Text,
}

/// enum kl_type
pub const NONE: u32 = 0;
pub const NULL: u32 = 1;
pub const BOOL: u32 = 2;
pub const NUMBER: u32 = 3;
pub const TEXT: u32 = 4;
pub const ARRAY: u32 = 5;
pub const OBJECT: u32 = 6;

/// enum kl_fail
pub const BAD_INPUT: u32 = 1;
pub const BAD_AUTH: u32 = 2;
pub const BUSY: u32 = 3;
pub const BROKEN: u32 = 4;
pub const GONE: u32 = 5;
pub const CONFLICT: u32 = 6;
pub const SURPRISE: u32 = 7;

#[repr(C)]
pub struct Event {
    pub size: u32,
    pub flags: u32,
    pub at_ms: i64,
    pub r#type: Text,
    pub dedupe: Str,
    pub subject: Str,
    pub regarding: Str,
    pub person: Str,
    pub data: Val,
}

#[repr(C)]
pub struct Start {
    pub size: u32,
    pub flags: u32,
    pub op: Text,
    pub input: Val,
    pub dedupe: Str,
    pub subject: Str,
}

#[repr(C)]
pub struct Mac {
    pub size: u32,
    pub flags: u32,
    pub hash: Text,
    pub secret: Text,
    pub pieces: List,
    pub macs: List,
}

#[repr(C)]
pub struct Host {
    pub size: u32,
    pub minor: u32,
    pub alloc: extern "C" fn(*mut Call, u64) -> *mut u8,
    pub r#type: extern "C" fn(Val) -> u32,
    pub count: extern "C" fn(Val) -> u32,
    pub find: extern "C" fn(Val, Text) -> Val,
    pub at: extern "C" fn(Val, u32, *mut Str) -> Val,
    pub text: extern "C" fn(Val) -> Str,
    pub i64: extern "C" fn(Val, i64) -> i64,
    pub f64: extern "C" fn(Val, f64) -> f64,
    pub object: extern "C" fn(*mut Call) -> Build,
    pub array: extern "C" fn(*mut Call) -> Build,
    pub set: extern "C" fn(*mut Call, Build, Str, Val),
    pub push: extern "C" fn(*mut Call, Build, Val),
    pub of_text: extern "C" fn(*mut Call, Str) -> Val,
    pub of_i64: extern "C" fn(*mut Call, i64) -> Val,
    pub of_f64: extern "C" fn(*mut Call, f64) -> Val,
    pub of_bool: extern "C" fn(*mut Call, i32) -> Val,
    pub of_null: extern "C" fn(*mut Call) -> Val,
    pub from_json: extern "C" fn(*mut Call, Str) -> Val,
    pub to_json: extern "C" fn(*mut Call, Val) -> Str,
    pub encode: extern "C" fn(*mut Call, Text, Str) -> Str,
    pub decode: extern "C" fn(*mut Call, Text, Str) -> Str,
    pub hash: extern "C" fn(*mut Call, Text, Str) -> Str,
    pub require_mac: extern "C" fn(*mut Call, *const Mac),
    pub require_secret: extern "C" fn(*mut Call, Text, Str),
    pub emit: extern "C" fn(*mut Call, *const Event),
    pub start: extern "C" fn(*mut Call, *const Start),
    pub row: extern "C" fn(*mut Call, Val),
    pub checkpoint: extern "C" fn(*mut Call, Val),
    pub problem: extern "C" fn(*mut Call, Text, Text),
    pub log: extern "C" fn(*mut Call, i32, Text),
    pub extension: extern "C" fn(Text) -> *const u8,
}

#[repr(C)]
pub struct Inbound {
    pub size: u32,
    pub flags: u32,
    pub config: Val,
    pub route: Text,
    pub method: Text,
    pub path: Text,
    pub query: List,
    pub headers: List,
    pub body: Str,
}

/// enum kl_answer_kind
pub const ACCEPT: u32 = 1;
pub const HANDSHAKE: u32 = 2;
pub const REJECT: u32 = 3;

#[repr(C)]
pub struct Answer {
    pub size: u32,
    pub kind: u32,
    pub status: u32,
    pub refused: u32,
    pub content_type: Text,
    pub reason: Text,
    pub body: Str,
}

/// enum kl_reply_outcome
pub const REPLY_NONE: u32 = 1;
pub const REPLY_DONE: u32 = 2;
pub const REPLY_FALLBACK: u32 = 3;
pub const REPLY_REPEAT: u32 = 4;

#[repr(C)]
pub struct Reply<'c> {
    pub size: u32,
    pub outcome: u32,
    pub inbound: &'c Inbound,
    pub result: Val,
}

/// enum kl_repeat
pub const NEVER: u32 = 1;
pub const KEYED: u32 = 2;
pub const SAFE: u32 = 3;

#[repr(C)]
pub struct Request {
    pub size: u32,
    pub repeat: u32,
    pub timeout_ms: u32,
    pub zero: u32,
    pub method: Text,
    pub url: Str,
    pub auth: Text,
    pub label: Text,
    pub content_type: Text,
    pub headers: List,
    pub body: Str,
}

/// enum kl_outcome
pub const ANSWERED: u32 = 1;
pub const NOT_SENT: u32 = 2;
pub const UNKNOWN: u32 = 3;
pub const REFUSED: u32 = 4;

#[repr(C)]
pub struct Response {
    pub size: u32,
    pub outcome: u32,
    pub status: u32,
    pub attempts: u32,
    pub retry_after_ms: i64,
    pub reason: Text,
    pub json: Val,
    pub headers: List,
    pub body: Str,
}

/// enum kl_why
pub const START: u32 = 1;
pub const RESPONSE: u32 = 2;
pub const TIMER: u32 = 3;
pub const LOOKUP: u32 = 4;

#[repr(C)]
pub struct Step<'c> {
    pub size: u32,
    pub why: u32,
    pub step: u32,
    pub state_version: u32,
    pub looking: u32,
    pub zero: u32,
    pub op: Text,
    pub config: Val,
    pub input: Val,
    pub state: Val,
    pub checkpoint: Val,
    pub response: Option<&'c Response>,
    pub key: Str,
}

/// enum kl_then
pub const DONE: u32 = 1;
pub const SEND: u32 = 2;
pub const WAIT: u32 = 3;
pub const FAIL: u32 = 4;
pub const ABSENT: u32 = 5;
pub const UNSURE: u32 = 6;

#[repr(C)]
pub struct Next {
    pub size: u32,
    pub then: u32,
    pub wait_ms: i64,
    pub result: Val,
    pub state: Val,
    pub request: *const Request,
    pub fail: u32,
    pub zero: u32,
    pub code: Text,
    pub message: Text,
    pub detail: Val,
}

#[repr(C)]
pub struct Field {
    pub key: Str,
    pub spec: Str,
    pub place: Str,
    pub value: Val,
}

#[repr(C)]
pub struct Map {
    pub size: u32,
    pub flags: u32,
    pub config: Val,
    pub context: Val,
    pub fields: List,
}

/// Kinds of options
pub const OPT_TEXT: u32 = 1;
pub const OPT_INT: u32 = 2;
pub const OPT_BOOL: u32 = 3;
pub const OPT_MS: u32 = 4;
pub const OPT_BYTES: u32 = 5;
pub const OPT_URL: u32 = 6;
pub const OPT_CHOICE: u32 = 7;
pub const OPT_SECRET: u32 = 8;
pub const OPT_EXPR: u32 = 9;
pub const OPT_REQUIRED: u32 = 256;
pub const OPT_REPEATED: u32 = 512;
pub const OPT_DEPRECATED: u32 = 1024;

/// kl_option; Option is taken
#[repr(C)]
pub struct Setting {
    pub key: Text,
    pub kind: u32,
    pub zero: u32,
    pub fallback: Text,
    pub choices: Text,
    pub help: Text,
}

/// Kinds of operations
pub const OP_ACTION: u32 = 1;
pub const OP_POLL: u32 = 2;
pub const OP_LOOKUP: u32 = 256;

#[repr(C)]
pub struct Op {
    pub name: Text,
    pub kind: u32,
    pub zero: u32,
    pub schema: Text,
    pub help: Text,
}

#[repr(C)]
pub struct Route {
    pub name: Text,
    pub reply_ms: u32,
    pub zero: u32,
    pub help: Text,
}

/// enum kl_scheme
pub const AUTH_BEARER: u32 = 1;
pub const AUTH_BASIC: u32 = 2;
pub const AUTH_HEADER: u32 = 3;
pub const AUTH_QUERY: u32 = 4;
pub const AUTH_FORM: u32 = 5;
pub const AUTH_OAUTH2: u32 = 6;

#[repr(C)]
pub struct Credential {
    pub name: Text,
    pub scheme: u32,
    pub zero: u32,
    pub secret: Text,
    pub user: Text,
    pub param: Text,
}

#[repr(C)]
pub struct Plugin {
    pub size: u32,
    pub needs_minor: u32,
    pub state_version: u32,
    pub flags: u32,
    pub id: Text,
    pub version: Text,
    pub summary: Text,
    pub events: Text,
    pub hosts: Text,
    pub options: List,
    pub ops: List,
    pub routes: List,
    pub credentials: List,
    pub check: Option<for<'c> extern "C" fn(Cx<'c>, Val)>,
    pub verify: Option<for<'c> extern "C" fn(Cx<'c>, &'c Inbound) -> Option<&'c Answer>>,
    pub normalize: Option<for<'c> extern "C" fn(Cx<'c>, &'c Inbound) -> u32>,
    pub reply: Option<for<'c> extern "C" fn(Cx<'c>, &'c Reply<'c>) -> Option<&'c Answer>>,
    pub step: Option<for<'c> extern "C" fn(Cx<'c>, &'c Step<'c>) -> Option<&'c Next>>,
    pub map: Option<for<'c> extern "C" fn(Cx<'c>, &'c Map) -> Val>,
    pub extension: Option<extern "C" fn(Text) -> *const u8>,
}

#[repr(C)]
pub struct Civil {
    pub size: u32,
    pub year: i32,
    pub month: i32,
    pub day: i32,
    pub hour: i32,
    pub minute: i32,
    pub second: i32,
    pub weekday: i32,
    pub offset_s: i32,
    pub zero: i32,
}

#[repr(C)]
pub struct Time1 {
    pub size: u32,
    pub zero: u32,
    pub civil: extern "C" fn(*mut Call, Text, i64, *mut Civil) -> i32,
    pub instant: extern "C" fn(*mut Call, Text, *const Civil, *mut i64) -> i32,
    pub parse: extern "C" fn(*mut Call, Str, Text, *mut i64) -> i32,
    pub print: extern "C" fn(*mut Call, i64, Text) -> Str,
}

// Constants of a plugin: nobody writes to what they point to.
unsafe impl Sync for Plugin {}
unsafe impl Sync for Setting {}
unsafe impl Sync for Op {}
unsafe impl Sync for Route {}
unsafe impl Sync for Credential {}

/// The structs that begin with their size.
///
/// # Safety
/// Only for a `#[repr(C)]` struct whose first member is `size: u32` and whose members may be zero.
pub unsafe trait Grows {}
unsafe impl Grows for Answer {}
unsafe impl Grows for Event {}
unsafe impl Grows for Mac {}
unsafe impl Grows for Next {}
unsafe impl Grows for Request {}
unsafe impl Grows for Start {}

impl Text {
    pub const NONE: Text = Text(core::ptr::null());

    pub fn is(self, text: &str) -> bool {
        let bytes = text.as_bytes();
        !self.0.is_null()
            && (0..bytes.len()).all(|i| unsafe { *self.0.add(i) } == bytes[i])
            && unsafe { *self.0.add(bytes.len()) } == 0
    }
}

impl Val {
    pub const NONE: Val = Val(core::ptr::null());
}

impl Build {
    pub fn val(self) -> Val {
        Val(self.0)
    }
}

impl Str {
    pub const NONE: Str = Str { ptr: core::ptr::null(), len: 0, zero: 0 };

    pub fn there(self) -> bool {
        !self.ptr.is_null()
    }

    pub fn is(self, text: &str) -> bool {
        let bytes = text.as_bytes();
        self.there()
            && self.len as usize == bytes.len()
            && (0..bytes.len()).all(|i| unsafe { *self.ptr.add(i) } == bytes[i])
    }
}

impl List {
    pub const NONE: List = List { ptr: core::ptr::null(), count: 0, stride: 0 };

    pub const fn of<T>(items: &'static [T]) -> List {
        List {
            ptr: items.as_ptr() as *const u8,
            count: items.len() as u32,
            stride: core::mem::size_of::<T>() as u32,
        }
    }

    /// The value of the first pair of that name; of headers and query parameters.
    pub fn pair(self, name: &str) -> Str {
        for i in 0..self.count {
            let at = unsafe { self.ptr.add(i as usize * self.stride as usize) };
            let pair = unsafe { &*(at as *const Pair) };
            if pair.name.is(name) {
                return pair.value;
            }
        }
        Str::NONE
    }
}

/// One call, and what the host offers in it. `'c`: until the call returns.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Cx<'c>(*mut Call, PhantomData<&'c Call>);

impl<'c> Cx<'c> {
    fn host(self) -> &'c Host {
        unsafe { &*(*self.0).host }
    }

    /// Zeroed, its size set. None: no memory; return, the host fails the call.
    pub fn new<T: Grows>(self) -> Option<&'c mut T> {
        let size = core::mem::size_of::<T>();
        let at = (self.host().alloc)(self.0, size as u64);
        if at.is_null() {
            return None;
        }
        unsafe {
            *(at as *mut u32) = size as u32;
            Some(&mut *(at as *mut T))
        }
    }

    /// A list of texts that lives as long as the call.
    pub fn list(self, texts: &[Str]) -> List {
        let stride = core::mem::size_of::<Str>();
        let at = (self.host().alloc)(self.0, (texts.len() * stride) as u64) as *mut Str;
        if at.is_null() {
            return List::NONE;
        }
        for (i, text) in texts.iter().enumerate() {
            unsafe { at.add(i).write(*text) };
        }
        List { ptr: at as *const u8, count: texts.len() as u32, stride: stride as u32 }
    }

    pub fn cat(self, parts: &[Str]) -> Str {
        let len: u64 = parts.iter().map(|part| u64::from(part.len)).sum();
        let at = if len > u64::from(u32::MAX) {
            core::ptr::null_mut()
        } else {
            (self.host().alloc)(self.0, len + 1)
        };
        if at.is_null() {
            return Str::NONE;
        }
        let mut to = at;
        for part in parts.iter().filter(|part| part.len > 0) {
            unsafe {
                core::ptr::copy_nonoverlapping(part.ptr, to, part.len as usize);
                to = to.add(part.len as usize);
            }
        }
        Str { ptr: at, len: len as u32, zero: 0 }
    }

    pub fn find(self, v: Val, path: Text) -> Val {
        (self.host().find)(v, path)
    }
    pub fn text(self, v: Val, path: Text) -> Str {
        (self.host().text)(self.find(v, path))
    }
    pub fn int(self, v: Val, path: Text, otherwise: i64) -> i64 {
        (self.host().i64)(self.find(v, path), otherwise)
    }
    pub fn has(self, v: Val, path: Text) -> bool {
        (self.host().r#type)(self.find(v, path)) > NULL
    }
    pub fn is_true(self, v: Val, path: Text) -> bool {
        let text = self.text(v, path);
        text.is("true") || text.is("1")
    }
    pub fn count(self, v: Val) -> u32 {
        (self.host().count)(v)
    }
    pub fn at(self, v: Val, i: u32) -> Val {
        (self.host().at)(v, i, core::ptr::null_mut())
    }

    pub fn object(self) -> Build {
        (self.host().object)(self.0)
    }
    pub fn set(self, o: Build, key: Str, v: Val) {
        (self.host().set)(self.0, o, key, v)
    }
    /// Nothing is set if text is nothing.
    pub fn set_text(self, o: Build, key: Str, text: Str) {
        self.set(o, key, self.of_text(text))
    }
    pub fn set_bool(self, o: Build, key: Str, yes: bool) {
        self.set(o, key, (self.host().of_bool)(self.0, i32::from(yes)))
    }
    pub fn of_text(self, text: Str) -> Val {
        (self.host().of_text)(self.0, text)
    }

    pub fn from_json(self, text: Str) -> Val {
        (self.host().from_json)(self.0, text)
    }
    pub fn to_json(self, v: Val) -> Str {
        (self.host().to_json)(self.0, v)
    }
    pub fn encode(self, how: Text, data: Str) -> Str {
        (self.host().encode)(self.0, how, data)
    }
    pub fn decode(self, how: Text, data: Str) -> Str {
        (self.host().decode)(self.0, how, data)
    }
    pub fn hash(self, hash: Text, data: Str) -> Str {
        (self.host().hash)(self.0, hash, data)
    }

    pub fn require_mac(self, mac: &Mac) {
        (self.host().require_mac)(self.0, mac)
    }
    pub fn require_secret(self, secret: Text, guess: Str) {
        (self.host().require_secret)(self.0, secret, guess)
    }
    pub fn emit(self, event: &Event) {
        (self.host().emit)(self.0, event)
    }
    pub fn start(self, start: &Start) {
        (self.host().start)(self.0, start)
    }
    pub fn row(self, v: Val) {
        (self.host().row)(self.0, v)
    }
    pub fn checkpoint(self, v: Val) {
        (self.host().checkpoint)(self.0, v)
    }
    pub fn problem(self, path: Text, message: Text) {
        (self.host().problem)(self.0, path, message)
    }

    /// kl.time/1: an RFC 3339 text as milliseconds since 1970.
    pub fn instant(self, text: Str) -> Option<i64> {
        let time = (self.host().extension)(Text("kl.time/1\0".as_ptr())) as *const Time1;
        let mut ms = 0;
        if time.is_null() || !text.there() {
            return None;
        }
        let found = unsafe { ((*time).parse)(self.0, text, Text::NONE, &mut ms) };
        (found == 1).then(|| ms)
    }

    pub fn done(self, result: Val) -> Option<&'c Next> {
        let next = self.new::<Next>()?;
        next.then = DONE;
        next.result = result;
        Some(next)
    }
    pub fn send(self, request: &'c Request, state: Val) -> Option<&'c Next> {
        let next = self.new::<Next>()?;
        next.then = SEND;
        next.request = request;
        next.state = state;
        Some(next)
    }
    pub fn failed(self, fail: u32, message: Text) -> Option<&'c Next> {
        let next = self.new::<Next>()?;
        next.then = FAIL;
        next.fail = fail;
        next.message = message;
        Some(next)
    }
    pub fn then(self, then: u32, message: Text) -> Option<&'c Next> {
        let next = self.new::<Next>()?;
        next.then = then;
        next.message = message;
        Some(next)
    }
}

/// A literal as C wants it.
#[macro_export]
macro_rules! z {
    ($text:expr) => {
        $crate::klinke::Text(concat!($text, "\0").as_ptr())
    };
}

/// A literal as `Str`.
#[macro_export]
macro_rules! lit {
    ($text:expr) => {
        $crate::klinke::Str { ptr: concat!($text, "\0").as_ptr(), len: $text.len() as u32, zero: 0 }
    };
}
