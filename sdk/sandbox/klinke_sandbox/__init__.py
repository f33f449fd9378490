"""A stateful stand-in for Retell, Cal.com v1 and v2, and the WhatsApp Cloud API."""
