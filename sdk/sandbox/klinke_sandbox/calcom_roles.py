"""Whose key it is, and what that account may see: settings calcom_account, a user's role and admin.

As the vendor's code has it: v2 lists whom a booking was given to, and everything of the teams that
the account leads; v1 lists the first alone, and everything to an administrator of the server.
"""
LEADING = ("OWNER", "ADMIN")


class Roles:
    def __init__(self, world, calendar):
        self.world = world
        self.store = world.store
        self.calendar = calendar

    def account(self):
        return self.store.thing("user", self.world.setting("calcom_account"))

    def leads(self):
        """Every user is in every team, in the user's role."""
        return self.account()["role"] in LEADING

    def is_admin(self):
        return bool(self.account().get("admin"))

    def owns(self, kind):
        return not kind["team"] and self.account()["id"] in kind["hosts"]

    def reads_type(self, kind):
        return (self.account()["id"] in kind["hosts"] or self.is_admin()
                or bool(kind["team"]) and self.leads())

    def _is_given(self, booking):
        return booking["hosts"][0] == self.account()["id"]

    def lists_v2(self, booking):
        kind = self.calendar.event_type(booking["event_type"])
        return (self._is_given(booking) or bool(kind["team"]) and self.leads()
                or booking["attendee"]["email"] == self.account()["email"])

    def lists_v1(self, booking):
        return self._is_given(booking) or self.is_admin()

    def reads_v1(self, booking):
        """One booking by its number: wider than the list."""
        kind = self.calendar.event_type(booking["event_type"])
        return self.lists_v1(booking) or self.owns(kind) or bool(kind["team"]) and self.leads()
