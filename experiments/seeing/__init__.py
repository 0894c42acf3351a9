"""The subcommands of `experiments.see`, a file each; `command.py` says what such a file holds."""
