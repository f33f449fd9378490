"""What every vendor shares: the store, the clock, the settings, the outgoing webhooks."""
from . import clock, seed
from .faults import Faults
from .hooks import Hooks
from .store import Store

SETTINGS = {
    # answers of Cal.com
    "calcom_edition": "hosted",       # hosted | diy: which cal-api-version values are known
    "calcom_taken": "400",            # 400 | 409 | 500: how a taken slot is refused in v2
    "calcom_account": 5012,           # the user whose key it is
    "calcom_rate_enforced": False,    # headers are always sent, 429 only when true
    # WhatsApp
    "whatsapp_window": "enforced",    # enforced | open: 131047 outside of 24 hours
    "whatsapp_statuses": ["sent", "delivered", "read"],
    "whatsapp_status_gap_ms": 40,     # between the answer and each status
}
SECRETS = ("retell_key", "calcom_key", "calcom_webhook_secret", "whatsapp_token",
           "whatsapp_app_secret", "whatsapp_verify_token")


class World:
    """options: the parsed command line (see main.py)."""

    def __init__(self, options):
        self.options = options
        self.store = Store(options.state)
        self.faults = Faults(self.store)
        self.hooks = Hooks(self)
        if self.store.get("seeded") is None:
            self.reset()

    def reset(self):
        """Forget everything and open the practice anew."""
        with self.store.write():
            self.store.clear()
            seed.fill(self.store)
            self.store.put("seeded", True)

    def now_ms(self):
        return clock.real_ms() + self.store.get("clock_offset_ms", 0)

    def setting(self, name):
        return self.store.get("setting." + name, SETTINGS[name])

    def secret(self, name):
        return self.store.get("secret." + name, getattr(self.options, name))

    def next_id(self, name, first):
        """Counts on from first; survives a restart."""
        with self.store.write():
            value = self.store.get("counter." + name, first)
            self.store.put("counter." + name, value + 1)
        return value
