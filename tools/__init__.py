"""What builds, documents and releases the project; nothing here is part of the wheel."""
