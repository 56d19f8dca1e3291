"""Our own refusal of a message, before anything is sent."""


class Unsendable(Exception):
    """The message cannot be sent as it is. `code` is one of `contracts.errors`.

    `detail` says where, for people and logs: it holds no phone, name or text (a single character at most).
    """

    def __init__(self, code: str, detail: dict[str, str | int] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail or {}
