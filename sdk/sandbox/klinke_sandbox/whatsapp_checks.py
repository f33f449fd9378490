"""What the Cloud API refuses in a message: the essentials, with the code each one gets."""
import re

TYPES = ("text", "template", "interactive", "image", "document", "audio", "video", "sticker",
         "location", "contacts", "reaction")


class Wrong(Exception):
    """code: the vendor's; details: for error_data."""

    def __init__(self, code, details):
        super().__init__(details)
        self.code, self.details = code, details


def need(good, details, code=131009):
    if not good:
        raise Wrong(code, details)


def text_of(value, most, name):
    need(isinstance(value, str) and 1 <= len(value) <= most,
         f"{name} must be a text of 1 to {most} characters")


def check_message(body):
    kind = body.get("type", "text")
    body["type"] = kind
    need(kind in TYPES, f"Unsupported message type {kind}", 131051)
    need(body.get("recipient_type", "individual") in ("individual", "group"),
         "recipient_type must be individual or group")
    need(isinstance(body.get(kind), dict if kind != "contacts" else list),
         f"The parameter {kind} is required.", 131008)
    need(len(str(body.get("biz_opaque_callback_data", ""))) <= 512,
         "biz_opaque_callback_data is longer than 512 characters")
    if kind == "text":
        text_of(body["text"].get("body"), 4096, "text.body")
    elif kind == "interactive":
        check_interactive(body["interactive"])
    elif kind == "template":
        need(body["template"].get("name"), "The parameter template.name is required.", 131008)
        need(isinstance(body["template"].get("language"), dict)
             and body["template"]["language"].get("code"),
             "The parameter template.language.code is required.", 131008)


def check_interactive(part):
    kind = part.get("type")
    need(kind in ("button", "list", "flow", "request_contact_info", "cta_url"),
         f"interactive.type {kind} is not supported")
    limit = 4096 if kind == "list" else 1024
    text_of((part.get("body") or {}).get("text"), limit, "interactive.body.text")
    if "footer" in part:
        text_of(part["footer"].get("text"), 60, "interactive.footer.text")
    action = part.get("action") or {}
    if kind == "button":
        check_buttons(action.get("buttons"))
    elif kind == "list":
        check_list(action)


def check_buttons(buttons):
    need(isinstance(buttons, list) and 1 <= len(buttons) <= 3, "action.buttons: 1 to 3 entries")
    titles = set()
    for button in buttons:
        need(button.get("type") == "reply", "button.type must be reply")
        reply = button.get("reply") or {}
        text_of(reply.get("id"), 256, "reply.id")
        text_of(reply.get("title"), 20, "reply.title")
        titles.add(reply["title"])
    need(len(titles) == len(buttons), "reply.title must be unique")


def check_list(action):
    text_of(action.get("button"), 20, "action.button")
    sections = action.get("sections")
    need(isinstance(sections, list) and 1 <= len(sections) <= 10,
         "action.sections: 1 to 10 entries")
    rows = [row for section in sections for row in section.get("rows", [])]
    need(1 <= len(rows) <= 10, "at most 10 rows in all sections together")
    for section in sections:
        if len(sections) > 1 or "title" in section:
            text_of(section.get("title"), 24, "section.title")
    for row in rows:
        text_of(row.get("id"), 200, "row.id")
        text_of(row.get("title"), 24, "row.title")
        if "description" in row:
            text_of(row["description"], 72, "row.description")
    need(len({row["id"] for row in rows}) == len(rows), "row.id must be unique")


def placeholders(template, part):
    texts = [c.get("text", "") for c in template["components"] if c["type"].lower() == part]
    return set(re.findall(r"\{\{(\w+)\}\}", " ".join(texts)))


def check_template(template, asked):
    """asked against the stored template: count, names and kinds of the parameters."""
    named = template.get("parameter_format", "POSITIONAL").upper() == "NAMED"
    sent = {"header": [], "body": []}
    for component in asked.get("components") or []:
        kind = str(component.get("type", "")).lower()
        if kind == "button":
            check_template_button(template, component)
            continue
        need(kind in sent, f"component type {kind} is not valid", 132012)
        sent[kind] = component.get("parameters") or []
    for kind, parameters in sent.items():
        wanted = placeholders(template, kind)
        texts = [p for p in parameters if p.get("type") in ("text", "currency", "date_time")]
        need(len(texts) == len(wanted), f"{kind}: number of localizable_params ({len(texts)}) does "
             f"not match the expected number of params ({len(wanted)})", 132000)
        if named:
            names = {p.get("parameter_name") for p in texts}
            need(names == wanted, f"{kind}: parameter names do not match {sorted(wanted)}", 132012)
        for parameter in texts:
            if parameter["type"] == "text":
                need(str(parameter.get("text") or "").strip(), f"{kind}: text is empty", 131008)


def check_template_button(template, component):
    buttons = [b for c in template["components"] if c["type"].lower() == "buttons"
               for b in c["buttons"]]
    index = component.get("index")
    need(isinstance(index, str) and index.isdigit(), "button.index must be a digit as a text",
         132012)
    need(int(index) < len(buttons), f"button.index {index}: the template has {len(buttons)} "
                                    "buttons", 132000)
    kind = str(component.get("sub_type", "")).upper()
    need(buttons[int(index)]["type"].upper() == kind, f"button {index} is not a {kind}", 132012)
