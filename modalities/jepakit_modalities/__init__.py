"""The kinds of data that ship with jepakit. They import `jepakit.sdk` and nothing else of the core."""
