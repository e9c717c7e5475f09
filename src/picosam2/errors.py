"""The one exception for input that the user can put right."""


class InputError(ValueError):
    """Bad input: the message is one line and says what to do; the CLI then exits with 2."""
