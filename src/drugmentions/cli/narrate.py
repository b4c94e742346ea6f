"""What is said on stderr: notes, warnings and errors, as text or as JSON lines."""

import json
import sys


class Narrator:
    """Writes to stderr; `quiet` leaves errors alone, `as_json` writes one JSON object a line."""

    def __init__(self) -> None:
        self.quiet = False
        self.as_json = False

    def note(self, message: str) -> None:
        """Say what is going on."""
        if not self.quiet:
            self._write("note", message)

    def warn(self, message: str) -> None:
        """Say what a person may want to look into."""
        if not self.quiet:
            self._write("warning", message)

    def error(self, message: str, hint: str = "") -> None:
        """Say why the command fails, and what to do about it."""
        self._write("error", message, hint)

    def _write(self, level: str, message: str, hint: str = "") -> None:
        if self.as_json:
            entry = {"level": level, "message": message} | ({"hint": hint} if hint else {})
            text = json.dumps(entry, ensure_ascii=False)
        else:
            text = f"drugmentions: {'' if level == 'note' else level + ': '}{printable(message)}"
            text += f"\nhint: {printable(hint)}" if hint else ""
        sys.stderr.write(text.encode("utf-8", "backslashreplace").decode() + "\n")


def printable(text: str) -> str:
    r"""Text with its control characters, line ends aside, written as escapes: a terminal obeys none of it."""
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)


narrator = Narrator()
