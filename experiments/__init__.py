"""The experiment binaries: `python -m experiments.<name> --help`."""
