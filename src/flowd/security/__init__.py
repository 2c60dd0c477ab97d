"""Keys and what they are for: signing tokens, encrypting stored secrets, hashing passwords. No I/O and no clock."""
