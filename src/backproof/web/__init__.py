"""The HTTP and WebSocket edge: FastAPI routes, schemas, live updates, problems, protection of the local service."""
