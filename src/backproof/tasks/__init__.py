"""The worker and scheduler processes: thin shells around the services."""
