"""What goes in and out over HTTP. Stored models are never sent as they are."""
