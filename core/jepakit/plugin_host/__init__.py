"""Finding, checking and naming plugins: `loader` discovers, `host` answers by name, `catalogue` knows what could be installed."""
