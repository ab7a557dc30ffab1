"""Events of sealed sending."""

from dataclasses import dataclass

from linnet.wire.ids import AccountId, ConversationId


@dataclass(frozen=True, slots=True)
class SealedChanged:
    """From here on what is said in the conversation is sealed, or is not: `by` switched it."""

    conversation: ConversationId
    by: AccountId
    on: bool
