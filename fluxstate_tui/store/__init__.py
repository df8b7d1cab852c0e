"""The live state: plain timestamped events in, one consistent picture out."""
