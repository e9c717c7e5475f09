"""The exceptions for input that the user can put right."""


class InputError(ValueError):
    """Bad input: the message is one line and says what to do; the CLI then exits with 2.

    Args:
        message: what is wrong; line breaks, which names from files may have, become spaces.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(" ".join(message.splitlines()))


class EngineError(InputError):
    """A model that opens but does not run: nothing that was asked of it is to blame."""
