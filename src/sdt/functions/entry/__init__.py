"""What Lambda is told to call: one module a function, which opens it while it is imported and so fails at the start."""
