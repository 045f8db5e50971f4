"""Redis or Valkey: the event stream, worker presence, and hints through Celery. Nothing here is ever the truth."""
