"""The command line: parse, call `jepakit.engine`, print. Heavy imports stand inside the commands, so that `--help` stays fast."""
