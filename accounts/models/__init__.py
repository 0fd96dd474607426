"""What is known of people: their accounts, how they came to have one, and what acts in their place.

A module for each family; Django looks for all of them here. Must never know a file.
"""

from accounts.models.invitations import Invitation, InvitationQuerySet
from accounts.models.names import NameWord, WordField
from accounts.models.outside import OutsideCode
from accounts.models.tokens import ProgramRequest, Token, TokenQuerySet
from accounts.models.users import User, UserManager

__all__ = [
    "Invitation",
    "InvitationQuerySet",
    "NameWord",
    "OutsideCode",
    "ProgramRequest",
    "Token",
    "TokenQuerySet",
    "User",
    "UserManager",
    "WordField",
]
