/* edit: visudo's way to a new configuration. */
