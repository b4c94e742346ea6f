"""Source files: found, recognised, read, and brought to the publication schema."""
