"""The filter objects of POST /v3/list-calls. All are and-ed, agents among themselves or-ed."""
KEYED = {"custom_analysis_data":
         lambda c: (c.get("call_analysis") or {}).get("custom_analysis_data"),
         "metadata": lambda c: c.get("metadata"),
         "custom_attributes": lambda c: c.get("custom_attributes"),
         "dynamic_variables": lambda c: c.get("retell_llm_dynamic_variables")}
IN_ANALYSIS = ("user_sentiment", "call_successful", "in_voicemail")
PLAIN = ("agent_tag", "call_id", "batch_call_id", "call_status", "call_type", "direction",
         "from_number", "to_number", "start_timestamp", "end_timestamp", "duration_ms",
         "disconnection_reason", "data_storage_setting")
COMPARE = {"eq": lambda a, b: a == b, "ne": lambda a, b: a != b,
           "sw": lambda a, b: str(a).startswith(b), "ew": lambda a, b: str(a).endswith(b),
           "co": lambda a, b: b in str(a), "in": lambda a, b: a in b,
           "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b, "lt": lambda a, b: a < b,
           "le": lambda a, b: a <= b, "bt": lambda a, b: b[0] <= a <= b[1]}


def chosen(call, criteria):
    """ValueError for a criterion that does not exist."""
    for name, wanted in (criteria or {}).items():
        if name == "agent":
            fits = any(a.get("agent_id") == call["agent_id"] for a in wanted)
        elif name in KEYED:
            values = KEYED[name](call) or {}
            fits = all(matches(values.get(one["key"]), one) for one in wanted)
        elif name in IN_ANALYSIS:
            fits = matches((call.get("call_analysis") or {}).get(name), wanted)
        elif name in PLAIN:
            fits = matches(call.get(name), wanted)
        else:
            raise ValueError(f"unknown filter {name}")
        if not fits:
            return False
    return True


def matches(value, wanted):
    operator = wanted.get("op")
    if operator in ("pr", "np"):
        return (value is not None) == (operator == "pr")
    if operator not in COMPARE:
        raise ValueError(f"unknown operator {operator}")
    return value is not None and COMPARE[operator](value, wanted["value"])
