/* explain: which policy decides for a login, and where each setting comes from. */
