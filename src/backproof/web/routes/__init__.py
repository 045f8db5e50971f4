"""Routes by noun; each module has a `router` that `app.create_app` includes."""
