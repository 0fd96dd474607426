"""People in the administration, and the way into it. Django looks here for what is registered."""

from accounts.admin import entrance, invitations, people, sign_in, tokens

__all__ = ["entrance", "invitations", "people", "sign_in", "tokens"]
