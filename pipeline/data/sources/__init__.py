"""Where patients come from: synthetic, STOIC, volumes listed in a CSV, or ready slices."""
