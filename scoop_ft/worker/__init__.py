"""A worker: tasks it has (`spans`, `session`: bookkeeping), and how it runs them (`runner`)."""
