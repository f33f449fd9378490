"""The invented practice that every fresh sandbox opens with; README.md lists it."""

USERS = [
    {"id": 5012, "uuid": "0b7c2f7e-5d0a-4b63-9b07-5a2f2f6d1c11", "username": "jana-petersen",
     "name": "Dr. Jana Petersen", "email": "praxis@lindenhof.example", "timeZone": "Europe/Berlin",
     "locale": "de", "schedule": 7710, "role": "OWNER", "membership": 6601},
    {"id": 5013, "uuid": "7a1d7c36-2f6b-4a0e-8a3e-3f6c52b1a902", "username": "tom-reimann",
     "name": "Dr. Tom Reimann", "email": "reimann@lindenhof.example", "timeZone": "Europe/Berlin",
     "locale": "de", "schedule": 7711, "role": "MEMBER", "membership": 6602},
]
WEEK = [
    {"days": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"],
     "startTime": "08:00", "endTime": "12:00"},
    {"days": ["Monday", "Tuesday", "Wednesday", "Friday"], "startTime": "13:00",
     "endTime": "18:00"},
    {"days": ["Thursday"], "startTime": "13:00", "endTime": "19:00"},
]
SCHEDULES = [
    {"id": 7710, "ownerId": 5012, "name": "Sprechzeiten", "timeZone": "Europe/Berlin",
     "isDefault": True, "availability": WEEK, "overrides": []},
    {"id": 7711, "ownerId": 5013, "name": "Sprechzeiten", "timeZone": "Europe/Berlin",
     "isDefault": True, "availability": WEEK, "overrides": []},
]
TEAMS = [{"id": 880, "slug": "lindenhof", "name": "Praxis Am Lindenhof", "isOrganization": False,
          "timeZone": "Europe/Berlin"}]
ADDRESS = {"type": "address", "address": "Lindenhofstr. 4, 10115 Berlin", "public": True}
INSURANCE = {"type": "radio", "slug": "versicherung", "label": "Versicherung", "required": True,
             "hidden": False, "options": ["gesetzlich", "privat"]}
FIRST_VISIT = {"type": "boolean", "slug": "erstbesuch", "label": "Erstbesuch", "required": False,
               "hidden": False}


def event_type(number, slug, title, minutes, **more):
    """hosts: user ids; team: team id or None. Notice and buffers in minutes."""
    base = {"id": number, "slug": slug, "title": title, "minutes": minutes, "options": [],
            "team": None, "scheduling": None, "hosts": [5012], "fields": [], "notice": 0,
            "before": 0, "after": 0, "interval": None, "locations": [ADDRESS],
            "confirm": False, "needs_auth": False, "parent": None, "description": "",
            "phone_only": False}
    return {**base, **more}


EVENT_TYPES = [
    event_type(310455, "kontrolle-30", "Kontrolle 30 Min", 30, team=880, scheduling="roundRobin",
               hosts=[5012, 5013], fields=[INSURANCE, FIRST_VISIT], after=5),
    event_type(310456, "prophylaxe-45", "Prophylaxe 45 Min", 45),
    event_type(310457, "beratung", "Beratung", 30, options=[30, 60]),
    event_type(310458, "implantat-60", "Implantat-Beratung 60 Min", 60, confirm=True,
               fields=[INSURANCE]),
    event_type(310459, "ops-90", "Eingriff 90 Min", 90, team=880, scheduling="collective",
               hosts=[5012, 5013]),
    event_type(310460, "vorlage", "Vorlage", 30, team=880, scheduling="managed", hosts=[]),
]

TEMPLATES = [
    {"id": "594425479261596", "name": "termin_bestaetigung", "language": "de",
     "status": "APPROVED", "category": "UTILITY", "parameter_format": "NAMED", "components": [
         {"type": "HEADER", "format": "TEXT", "text": "Terminbestätigung"},
         {"type": "BODY", "text": "Guten Tag {{anrede_name}}, Ihr Termin ist am {{datum}} um "
                                  "{{uhrzeit}} Uhr bei {{behandler}} eingetragen."},
         {"type": "FOOTER", "text": "Praxis Am Lindenhof, Berlin"}]},
    {"id": "594425479261597", "name": "termin_erinnerung", "language": "de",
     "status": "APPROVED", "category": "UTILITY", "parameter_format": "POSITIONAL",
     "components": [
         {"type": "BODY", "text": "Guten Tag {{1}}, wir erinnern an Ihren Termin am {{2}} um "
                                  "{{3}} Uhr in der Praxis Am Lindenhof."},
         {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "Ich komme"},
                                         {"type": "QUICK_REPLY", "text": "Absagen"}]}]},
    {"id": "594425479261598", "name": "rueckruf", "language": "de", "status": "APPROVED",
     "category": "UTILITY", "parameter_format": "POSITIONAL", "components": [
         {"type": "BODY", "text": "Guten Tag {{1}}, die Praxis meldet sich gleich bei Ihnen."}]},
    {"id": "594425479261599", "name": "pausiert", "language": "de", "status": "PAUSED",
     "category": "UTILITY", "parameter_format": "POSITIONAL", "components": [
         {"type": "BODY", "text": "Diese Vorlage ist angehalten."}]},
]
NUMBER = {"id": "106000000000001", "waba": "102000000000001",
          "display_phone_number": "+49 30 23125010", "verified_name": "Praxis Am Lindenhof",
          "quality_rating": "GREEN", "status": "CONNECTED", "country_code": "49",
          "throughput": {"level": "STANDARD"},
          "whatsapp_business_manager_messaging_limit": "TIER_2K"}
CONTACTS = [
    {"wa_id": "491713920042", "user_id": "DE.90210000000000000042", "name": "Jana Berger",
     "reachable": True},
    {"wa_id": "491713920043", "user_id": "DE.90210000000000000043", "name": "Karl Beispiel",
     "reachable": False},
]

AGENT_ID = "agent_5d1f0a9be37c4426a81b6e90c2"
LLM_ID = "llm_e1c2a5b7d0934f6f8a11c4d29b"
AGENT = {
    "agent_id": AGENT_ID, "channel": "voice", "version": 14, "base_version": 13,
    "is_published": True, "assigned_tags": ["prod"],
    "agent_name": "Empfang Praxis Am Lindenhof",
    "response_engine": {"type": "retell-llm", "llm_id": LLM_ID, "version": 14},
    "voice_id": "11labs-Carola", "language": "de-DE", "timezone": "Europe/Berlin",
    "webhook_url": None, "webhook_events": ["call_started", "call_ended", "call_analyzed"],
    "webhook_timeout_ms": 10000, "max_call_duration_ms": 900000,
    "end_call_after_silence_ms": 30000, "data_storage_setting": "everything",
    "opt_in_signed_url": True,
    "post_call_analysis_data": [
        {"type": "boolean", "name": "appointment_requested",
         "description": "Wollte der Anrufer einen Termin?"},
        {"type": "string", "name": "customer_preferences", "description": "Zeitwunsch in Worten"}],
    "last_modification_timestamp": 1794902624000,
}
LLM = {
    "llm_id": LLM_ID, "version": 14, "is_published": True, "model": "gpt-4.1",
    "start_speaker": "agent", "begin_message": "Praxis Am Lindenhof, guten Tag.",
    "general_prompt": "Du bist am Empfang der Praxis Am Lindenhof.",
    "general_tools": [{"type": "custom", "name": "check_availability", "method": "POST",
                       "url": "https://host.example/hooks/lindenhof/phone/function",
                       "description": "Freie Termine suchen.", "timeout_ms": 5000,
                       "args_at_root": False}],
    "last_modification_timestamp": 1794902624000,
}
PHONE = {
    "phone_number": "+493023125010", "phone_number_type": "custom", "nickname": "Empfang",
    "phone_number_pretty": "+49 30 23125010",
    "inbound_agents": [{"agent_id": AGENT_ID, "agent_version": "prod", "weight": 1}],
    "outbound_agents": None, "inbound_webhook_url": None, "inbound_sms_webhook_url": None,
    "fallback_number": "+493023125099", "last_modification_timestamp": 1794902624000,
}


def fill(store):
    """Call inside a transaction, on an empty store."""
    for kind, key, things in (("user", "id", USERS), ("schedule", "id", SCHEDULES),
                              ("team", "id", TEAMS), ("event_type", "id", EVENT_TYPES),
                              ("wa_number", "id", [NUMBER]), ("wa_contact", "wa_id", CONTACTS),
                              ("agent", "agent_id", [AGENT]), ("llm", "llm_id", [LLM]),
                              ("phone", "phone_number", [PHONE])):
        for thing in things:
            store.keep(kind, thing[key], thing)
    for template in TEMPLATES:
        store.keep("template", f"{template['name']}/{template['language']}", template)
