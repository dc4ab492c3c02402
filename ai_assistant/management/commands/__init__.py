"""The command line's commands, with the settings of the Django site."""
