"""Many tasks in one go: each suite is a YAML file here, or one of the user's own."""
