/* check: everything that is wrong in the configuration. */
