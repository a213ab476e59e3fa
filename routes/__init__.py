"""HTTP: handlers, payloads, guards, pages. Holds no rule and no query."""
