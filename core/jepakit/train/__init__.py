"""One run: schedules, optimiser, loop, monitor."""
