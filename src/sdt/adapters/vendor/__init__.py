"""How every vendor is spoken to: one HTTP client, whichever the vendor."""
